package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	runtimespec "github.com/opencontainers/runtime-spec/specs-go"
)

// labelStore forgets: labels only keep content from being collected.
type labelStore struct{}

func (labelStore) Get(digest.Digest) (map[string]string, error) { return map[string]string{}, nil }

func (labelStore) Set(digest.Digest, map[string]string) error { return nil }

func (labelStore) Update(_ digest.Digest, labels map[string]string) (map[string]string, error) {
	return labels, nil
}

// imageStore forgets: the import answers what it named.
type imageStore struct{ images.Store }

func (imageStore) Update(context.Context, images.Image, ...string) (images.Image, error) {
	return images.Image{}, errdefs.ErrNotFound
}

func (imageStore) Create(_ context.Context, image images.Image) (images.Image, error) {
	return image, nil
}

// overlays gives the mounts that the overlayfs snapshotter gives: containerd
// then unpacks into the upper folder without mounting anything.
type overlays struct {
	snapshots.Snapshotter
	lock      sync.Mutex
	directory string
	committed map[string][]string
	prepared  map[string][]string
}

func newOverlays(directory string) (*overlays, error) {
	err := os.MkdirAll(directory, 0o755)
	return &overlays{directory: directory, committed: map[string][]string{}, prepared: map[string][]string{}}, err
}

func (o *overlays) Stat(_ context.Context, key string) (snapshots.Info, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	if _, ok := o.committed[key]; !ok {
		return snapshots.Info{}, fmt.Errorf("snapshot %s: %w", key, errdefs.ErrNotFound)
	}
	return snapshots.Info{Name: key, Kind: snapshots.KindCommitted}, nil
}

func (o *overlays) Prepare(_ context.Context, key, parent string, _ ...snapshots.Opt) ([]mount.Mount, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	upper := filepath.Join(o.directory, fmt.Sprint(len(o.prepared)))
	if err := os.Mkdir(upper, 0o755); err != nil {
		return nil, err
	}
	lower := o.committed[parent]
	o.prepared[key] = append([]string{upper}, lower...)
	options := []string{"upperdir=" + upper}
	if len(lower) > 0 {
		options = append(options, "lowerdir="+strings.Join(lower, ":"))
	}
	return []mount.Mount{{Type: "overlay", Source: "overlay", Options: options}}, nil
}

func (o *overlays) Commit(_ context.Context, name, key string, _ ...snapshots.Opt) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.committed[name] = o.prepared[key]
	return nil
}

func (o *overlays) Remove(context.Context, string) error { return nil }

// checkUser reads User as containerd does when it makes a container, in an image that has everybody it names.
func checkUser(ctx context.Context, user string) error {
	if user == "" {
		return nil
	}
	root, err := os.MkdirTemp("", "containerd-oracle-user-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	passwd, group := "", ""
	for _, name := range strings.Split(user, ":") {
		passwd += name + ":x:1:1::/:/bin/sh\n"
		group += name + ":x:1:\n"
	}
	err = errors.Join(
		os.Mkdir(root+"/etc", 0o755),
		os.WriteFile(root+"/etc/passwd", []byte(passwd), 0o644),
		os.WriteFile(root+"/etc/group", []byte(group), 0o644),
	)
	if err != nil {
		return err
	}
	spec := &oci.Spec{Root: &runtimespec.Root{Path: root}, Process: &runtimespec.Process{}, Linux: &runtimespec.Linux{}}
	return oci.WithUser(user)(ctx, nil, &containers.Container{}, spec)
}
