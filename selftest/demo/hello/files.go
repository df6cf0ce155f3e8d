package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/packagefs"
	"nexus/capnpgen/registry"
	"nexus/daemons/convert"
	"nexus/daemons/discovery"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// readFiles reads the files that the arguments name, by PackageFs, and says what it got of each, and what it sees.
func readFiles(ctx context.Context, links *vat.Endowments, services registry.ServiceManager) error {
	client, err := discovery.FindBy(ctx, links, services, "PackageFs")
	if err != nil {
		return err
	}
	defer client.Release()
	files := packagefs.PackageFs(client)
	names, err := listed(ctx, files)
	if err != nil {
		return err
	}
	for _, path := range os.Args[1:] {
		sum, err := sumOf(ctx, files, path)
		if err = convert.Excepted(err); err != nil {
			sum = "refused as " + string(refusal.Of(err))
		}
		fmt.Printf("%s: %s\n", path, sum)
	}
	fmt.Printf("hello sees %s\n", strings.Join(names, ", "))
	return nil
}

// listed returns the bundles that there are.
func listed(ctx context.Context, files packagefs.PackageFs) ([]string, error) {
	answer, release := files.List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	entries, err := res.Entries()
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range entries.Len() {
		name, err := entries.At(i).Name()
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// sumOf reads a file to its end.
func sumOf(ctx context.Context, files packagefs.PackageFs, path string) (string, error) {
	hash := sha256.New()
	for offset := uint64(0); ; {
		n, err := readPiece(ctx, files, path, offset, hash.Write)
		if n == 0 || err != nil {
			return fmt.Sprintf("%x", hash.Sum(nil)), err
		}
		offset += uint64(n)
	}
}

func readPiece(ctx context.Context, files packagefs.PackageFs, path string, offset uint64,
	use func([]byte) (int, error)) (int, error) {
	answer, release := files.Read(ctx, func(p packagefs.PackageFs_read_Params) error {
		p.SetOffset(offset)
		p.SetCount(bundle.MaxReadBytes)
		return p.SetPath(path)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return 0, err
	}
	piece, err := res.Bytes()
	if err != nil {
		return 0, err
	}
	return use(piece)
}
