module github.com/betmakers/paddock/tools/mutate

go 1.26.0
