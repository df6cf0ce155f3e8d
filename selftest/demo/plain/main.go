// Command plain is the plain service of the demo sets: it prints one line and runs until it is told to end. It never
// touches fd 3.
//
//	go build -ldflags '-X main.version=1.1.0' ./selftest/demo/plain
package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
)

var version = "0.0.0" // set at link time; never changed

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Printf("plain %s runs\n", version)
	<-ctx.Done()
}
