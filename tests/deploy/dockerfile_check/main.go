// Check a Dockerfile as `docker build --check` does, without a builder and without a registry.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	digest "github.com/opencontainers/go-digest"
)

// emptyImages takes every base image for one that sets nothing.
type emptyImages struct{}

func (emptyImages) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config := []byte(`{"architecture": "amd64", "os": "linux", "config": {}}`)
	return ref, digest.FromBytes(config), config, nil
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	found := 0
	for _, target := range os.Args[2:] {
		source := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", text)
		source.Definition = &llb.Definition{}
		opt := dockerfile2llb.ConvertOpt{MetaResolver: emptyImages{}, SourceMap: source}
		opt.Config.Target = target
		result, err := dockerfile2llb.DockerfileLint(context.Background(), text, opt)
		if err == nil && result.Error != nil {
			err = fmt.Errorf("%s", result.Error.Message)
		}
		if err != nil {
			fmt.Printf("%s: %v\n", target, err)
			found++
			continue
		}
		for _, warning := range result.Warnings {
			fmt.Printf("%s: %s: %s\n", target, warning.RuleName, warning.Detail)
			found++
		}
	}
	if found > 0 {
		os.Exit(1)
	}
}
