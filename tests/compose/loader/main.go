// Loads a Compose file as Docker Compose does, by its own loader: schema, anchors, variables, dependencies, profiles.
// Prints how many services there are.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	if err := load(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func load(files []string) error {
	// Neither the machine's variables nor an .env: what is checked is what a fresh checkout says.
	options, err := cli.NewProjectOptions(files, cli.WithProfiles([]string{"*"}), cli.WithEnv(nil))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	fmt.Printf("Docker Compose's loader reads %d services\n", len(project.Services))
	return nil
}
