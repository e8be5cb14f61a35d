package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/betmakers/paddock/bench/internal/cores"
)

// process is the parent's handle on a server process. Not for concurrent use.
type process struct {
	addr     string
	cmd      *exec.Cmd
	commands *os.File
	answers  *os.File
	decoder  *json.Decoder
}

// startProcess starts this binary again as the contender c, a client of target or a server, and
// waits until it is there. Its standard output, which takes the access log, goes to /dev/null.
func startProcess(c contender, certs certDir, target string, on cores.Pair) (*process, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	commandsOut, commandsIn, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer commandsOut.Close()
	answersOut, answersIn, err := os.Pipe()
	if err != nil {
		commandsIn.Close()
		return nil, err
	}
	defer answersIn.Close()

	cmd := exec.Command(binary)
	cmd.Env = append(inherited(), envServe+"="+c.name, envCerts+"="+string(certs), envTarget+"="+target)
	if c.env != nil {
		cmd.Env = append(cmd.Env, c.env(certs)...)
	}
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{commandsOut, answersIn} // commandFD, answerFD
	p := &process{cmd: cmd, commands: commandsIn, answers: answersOut, decoder: json.NewDecoder(answersOut)}
	if err := on.StartServer(cmd.Start); err != nil {
		return nil, errors.Join(err, commandsIn.Close(), answersOut.Close())
	}
	answersIn.Close() // or a server that died would leave the decoder waiting
	ready, err := p.answer()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("server %s did not start: %w", c.name, err), p.stop())
	}
	p.addr = ready.Addr
	return p, nil
}

// inherited is this process's environment without what would configure a contender behind our back.
func inherited() []string {
	return slices.DeleteFunc(os.Environ(), func(setting string) bool {
		return strings.HasPrefix(setting, "CHASSIS_") || strings.HasPrefix(setting, "OTEL_")
	})
}

func (p *process) ask(command string) (usage, error) {
	if _, err := fmt.Fprintln(p.commands, command); err != nil {
		return usage{}, err
	}
	return p.answer()
}

func (p *process) answer() (usage, error) {
	var u usage
	err := p.decoder.Decode(&u)
	return u, err
}

// stop closes the command pipe, which ends the server, and waits for it.
func (p *process) stop() error {
	return errors.Join(p.commands.Close(), p.cmd.Wait(), p.answers.Close())
}
