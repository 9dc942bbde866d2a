// Command containerd-oracle tells what containerd makes of image archives: its
// own client imports each into a content store of its own, unpacks what fits to
// the platform as on a node with overlayfs, and reads the configuration as CRI
// does. Nothing runs, nothing is mounted; it needs root, as unpacking does.
//
//	containerd-oracle linux/amd64 ARCHIVE…
//
// An ARCHIVE that is a folder is imported as `tar -C FOLDER -cf - .` gives it.
// On stdout is one JSON array, in the arguments' order.
package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/diff/apply"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/usage"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/unpack"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/log"
	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Answer says what became of one archive.
type Answer struct {
	Archive string `json:"archive"`
	// Refused is why the import failed, empty if it did not.
	Refused string `json:"refused"`
	// Images are those for the platform, each once.
	Images []Image `json:"images"`
}

// Image is one that the archive holds for the platform.
type Image struct {
	Config string `json:"config"`
	// Refused is why a node could not use the image, empty if it could.
	Refused string `json:"refused"`
}

func main() {
	_ = log.SetLevel("error")
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "Usage: containerd-oracle PLATFORM ARCHIVE…")
		os.Exit(2)
	}
	platform, err := platforms.Parse(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	answers := []Answer{}
	for _, archive := range os.Args[2:] {
		answer, err := ask(archive, platforms.Only(platform))
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", archive, err)
			os.Exit(1)
		}
		answers = append(answers, answer)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		os.Exit(1)
	}
}

// ask answers for one archive; an error is this program's own trouble.
func ask(archive string, platform platforms.MatchComparer) (Answer, error) {
	answer := Answer{Archive: archive, Images: []Image{}}
	directory, err := os.MkdirTemp("", "containerd-oracle-")
	if err != nil {
		return answer, err
	}
	defer os.RemoveAll(directory)
	node, err := newNode(directory, platform)
	if err != nil {
		return answer, err
	}
	index, err := node.load(archive)
	if err != nil {
		answer.Refused = err.Error()
		return answer, nil
	}
	found, err := node.candidates(index)
	if err != nil {
		answer.Refused = err.Error()
		return answer, nil
	}
	answer.Images = found
	return answer, nil
}

// node is what of a node's containerd takes part in an import.
type node struct {
	ctx      context.Context
	client   *containerd.Client
	content  content.Store
	layers   snapshots.Snapshotter
	platform platforms.MatchComparer
}

func newNode(directory string, platform platforms.MatchComparer) (*node, error) {
	store, err := local.NewLabeledStore(directory+"/content", labelStore{})
	if err != nil {
		return nil, err
	}
	layers, err := newOverlays(directory + "/snapshots")
	if err != nil {
		return nil, err
	}
	client, err := containerd.New("", containerd.WithDefaultPlatform(platform), containerd.WithServices(
		containerd.WithContentStore(store),
		containerd.WithImageStore(imageStore{}),
	))
	if err != nil {
		return nil, err
	}
	// In a lease's context the client asks for none.
	ctx := leases.WithLease(namespaces.WithNamespace(context.Background(), "k8s.io"), "oracle")
	return &node{ctx, client, store, layers, platform}, nil
}

const indexName = "the-archive"

// load imports the archive and answers its index, which is made of a docker-archive's manifest.json.
func (n *node) load(archive string) (ocispec.Descriptor, error) {
	stream, err := open(archive)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer stream.Close()
	// What containerd's transfer service, and so `ctr images import`, puts before the import.
	plain, err := compression.DecompressStream(stream)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer plain.Close()
	imported, err := n.client.Import(n.ctx, plain, containerd.WithIndexName(indexName))
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	for _, image := range imported {
		if image.Name == indexName {
			return image.Target, nil
		}
	}
	return ocispec.Descriptor{}, errors.New("the import named no index")
}

// candidates are the archive's images for the platform; `ctr images import` makes one image of each entry of the index.
func (n *node) candidates(index ocispec.Descriptor) ([]Image, error) {
	blob, err := content.ReadBlob(n.ctx, n.content, index)
	if err != nil {
		return nil, err
	}
	var entries ocispec.Index
	if err := json.Unmarshal(blob, &entries); err != nil {
		return nil, err
	}
	found := []Image{}
	seen := map[string]bool{}
	for _, entry := range entries.Manifests {
		if !images.IsManifestType(entry.MediaType) && !images.IsIndexType(entry.MediaType) {
			continue
		}
		fits, err := n.fits(entry)
		if err != nil {
			return nil, err
		}
		if !fits {
			continue
		}
		config, manifest, err := n.use(entry)
		if key := config + manifest; !seen[key] {
			seen[key] = true
			image := Image{Config: config}
			if err != nil {
				image.Refused = err.Error()
			}
			found = append(found, image)
		}
	}
	return found, nil
}

// fits tells whether the entry is for the platform; where it does not say so, its configuration does.
func (n *node) fits(entry ocispec.Descriptor) (bool, error) {
	if entry.Platform != nil {
		return n.platform.Match(*entry.Platform), nil
	}
	config, err := images.Config(n.ctx, n.content, entry, n.platform)
	if err != nil && strings.Contains(err.Error(), "no match for platform") {
		return false, nil
	}
	if err != nil || images.IsIndexType(entry.MediaType) {
		return err == nil, err
	}
	platform, err := images.ConfigPlatform(n.ctx, n.content, config)
	return n.platform.Match(platform), err
}

// use unpacks the image as kubelet's pull of it would, and reads it as CRI does.
func (n *node) use(target ocispec.Descriptor) (config string, manifest string, err error) {
	image := images.Image{Name: "image", Target: target}
	found, err := images.Manifest(n.ctx, n.content, target, n.platform)
	if err != nil {
		return "", "", err
	}
	for _, layer := range found.Layers {
		manifest += layer.Digest.String() + layer.MediaType
	}
	config = found.Config.Digest.String()
	if err := n.unpack(target); err != nil {
		return config, manifest, fmt.Errorf("unpacking: %w", err)
	}
	if err := n.readAsCRI(image); err != nil {
		return config, manifest, fmt.Errorf("reading as CRI: %w", err)
	}
	return config, manifest, nil
}

// unpack does what CRI's pull and the transfer service do once the blobs are there.
func (n *node) unpack(target ocispec.Descriptor) error {
	unpacker, err := unpack.NewUnpacker(n.ctx, n.content, unpack.WithUnpackPlatform(unpack.Platform{
		Platform:       n.platform,
		SnapshotterKey: "overlayfs",
		Snapshotter:    n.layers,
		Applier:        apply.NewFileSystemApplier(n.content),
	}))
	if err != nil {
		return err
	}
	handler := unpacker.Unpack(images.LimitManifests(images.ChildrenHandler(n.content), n.platform, 1))
	walked := images.Walk(n.ctx, handler, target)
	result, err := unpacker.Wait()
	if err := errors.Join(walked, err); err != nil {
		return err
	}
	if result.Unpacks == 0 {
		return errors.New("there was nothing to unpack for this platform")
	}
	return nil
}

// readAsCRI does what getImage of containerd's internal/cri/store/image does, and what a container is made of later.
func (n *node) readAsCRI(image images.Image) error {
	if _, err := image.RootFS(n.ctx, n.content, n.platform); err != nil {
		return err
	}
	limits := []usage.Opt{usage.WithManifestLimit(n.platform, 1), usage.WithManifestUsage()}
	provider, ok := n.content.(content.InfoReaderProvider)
	if !ok {
		return errors.New("the content store tells nothing of its blobs")
	}
	if _, err := usage.CalculateImageUsage(n.ctx, image, provider, limits...); err != nil {
		return err
	}
	config, err := image.Config(n.ctx, n.content, n.platform)
	if err != nil {
		return err
	}
	blob, err := content.ReadBlob(n.ctx, n.content, config)
	if err != nil {
		return err
	}
	var spec ocispec.Image
	if err := json.Unmarshal(blob, &spec); err != nil {
		return err
	}
	return checkUser(n.ctx, spec.Config.User)
}

// open gives the archive's bytes, those of a folder as tar makes them.
func open(archive string) (io.ReadCloser, error) {
	info, err := os.Stat(archive)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return os.Open(archive)
	}
	reader, writer := io.Pipe()
	go func() {
		packed := tar.NewWriter(writer)
		err := packed.AddFS(os.DirFS(archive))
		writer.CloseWithError(errors.Join(err, packed.Close()))
	}()
	return reader, nil
}
