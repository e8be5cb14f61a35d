// Command paddock makes services from the template, and reads their contracts.
//
// Run it without arguments for its commands, and a command with -help for its flags. The exit code
// is 0 for success, 1 for a failure or a difference that was asked for, and 2 for wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

const usage = `paddock makes services from the template of Paddock, and reads their contracts.

  paddock new NAME [-module PATH] [-dir DIR] [-chassis DIR]
        make a service in a new folder: contract, code, tests, CI, image and manifests

  paddock manifests [-dir DIR] [-check]
        write deploy/networkpolicy.yaml from the callers in the contract

  paddock contract [DIR]
        print the methods of a service with their policies
  paddock contract diff OLD [NEW]
        compare two versions, each a folder or a revision of git; exit with 1 if a caller could break
  paddock contract graph [-mermaid] DIR...
        print who may call whom

  paddock identity NAME [-may METHOD]
        make a certificate of the development authority, to be NAME on this machine for an hour
  paddock identity -cert FILE [-may METHOD]
        say who a certificate is, and whether it may call a method
`

// errUsage is returned for arguments that are wrong. The text has been printed.
var errUsage = errors.New("usage")

// errDiffers is returned where a difference was found that the caller asked for. It has been
// printed.
var errDiffers = errors.New("differs")

// tool is where a command reads and writes.
type tool struct {
	stdout, stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code) //nolint:gocritic // stop has been called
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	t := &tool{stdout: stdout, stderr: stderr}
	switch err := t.command(ctx, args); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case errors.Is(err, errDiffers):
		return 1
	default:
		_, _ = fmt.Fprintf(stderr, "paddock: %v\n", err)
		return 1
	}
}

func (t *tool) command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		_, _ = io.WriteString(t.stderr, usage)
		return errUsage
	}
	switch args[0] {
	case "new":
		return t.new(ctx, args[1:])
	case "manifests":
		return t.manifests(ctx, args[1:])
	case "contract":
		return t.contract(ctx, args[1:])
	case "identity":
		return t.identity(ctx, args[1:])
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(t.stdout, usage)
		return err
	default:
		return t.wrong("there is no command %q", args[0])
	}
}

// wrong reports arguments that are wrong.
func (t *tool) wrong(format string, args ...any) error {
	_, _ = fmt.Fprintf(t.stderr, "paddock: "+format+"\n", args...)
	_, _ = fmt.Fprintln(t.stderr, "Run paddock without arguments for the commands.")
	return errUsage
}

// flags returns the flags of a command.
func (t *tool) flags(command string) *flag.FlagSet {
	flags := flag.NewFlagSet("paddock "+command, flag.ContinueOnError)
	flags.SetOutput(t.stderr)
	return flags
}

// parse returns the arguments that are no flags. Flags may stand before, between and after them.
func parse(flags *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, errUsage // flags has printed it
		}
		if flags.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
}

func (t *tool) print(format string, args ...any) { _, _ = fmt.Fprintf(t.stdout, format, args...) }
