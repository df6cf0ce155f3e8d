package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// A proof runs many mutants.
type proof struct {
	trial
	workers        int
	keepGoing      bool
	stdout, stderr io.Writer

	mu       sync.Mutex
	verdicts map[string]int // how many mutants came to each
}

// The verdicts on a mutant. Only the first is a good one.
const (
	caught     = "caught"
	survived   = "SURVIVED"
	unbuilt    = "DOES NOT COMPILE"
	unapplied  = "DOES NOT APPLY"
	unfinished = "NOT RUN"
)

// run wants every suite green without a fault, and red with each.
func (p *proof) run(ctx context.Context, chosen []mutant) error {
	began := time.Now()
	p.verdicts = map[string]int{}
	if err := p.green(ctx, chosen); err != nil {
		return err
	}
	p.all(ctx, chosen)
	missed := len(chosen) - p.verdicts[caught]
	fmt.Fprintf(p.stdout, "%d mutants, %d caught, %d survived, %d do not compile, %d do not apply, %d not run; %s\n",
		len(chosen), p.verdicts[caught], p.verdicts[survived], p.verdicts[unbuilt], p.verdicts[unapplied],
		p.verdicts[unfinished],
		time.Since(began).Round(time.Second))
	if err := context.Cause(ctx); err != nil && missed > 0 && p.keepGoing {
		return fmt.Errorf("cannot finish: %w", err)
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d mutants were not caught", missed, len(chosen))
	}
	return nil
}

// green runs every suite on the code as it is: a test that is red anyway proves nothing.
func (p *proof) green(ctx context.Context, chosen []mutant) error {
	done := map[suite]bool{}
	for _, m := range chosen {
		if done[m.tests] {
			continue
		}
		done[m.tests] = true
		f, err := p.trial.run(ctx, m.tests, "")
		if err != nil {
			return err
		}
		if f.red || f.unbuilt {
			return fmt.Errorf("cannot begin: the tests of %s are red without it (%s)\n%s", m.id, f.by, f.output)
		}
	}
	fmt.Fprintf(p.stdout, "%d suites are green without a fault\n", len(done))
	return nil
}

// all tries the mutants, several at a time.
func (p *proof) all(ctx context.Context, chosen []mutant) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	queue := make(chan mutant)
	var working sync.WaitGroup
	for range p.workers {
		working.Go(func() {
			for m := range queue {
				if p.one(ctx, m) != caught && !p.keepGoing {
					stop()
				}
			}
		})
	}
	for _, m := range chosen {
		queue <- m
	}
	close(queue)
	working.Wait()
}

// one tries a mutant, prints its row and returns the verdict.
func (p *proof) one(ctx context.Context, m mutant) string {
	if ctx.Err() != nil {
		p.say(m, unfinished, "", 0)
		return unfinished
	}
	if _, err := m.apply(p.module); err != nil {
		p.say(m, unapplied, err.Error(), 0)
		return unapplied
	}
	f, err := p.mutate(ctx, m)
	verdict, detail := judge(f, err)
	p.say(m, verdict, detail, f.duration)
	return verdict
}

// judge says what a run means for its mutant.
func judge(f finding, err error) (verdict, detail string) {
	switch {
	case err != nil:
		return unfinished, err.Error()
	case f.unbuilt:
		return unbuilt, f.output
	case !f.red:
		return survived, ""
	default:
		return caught, "by " + f.by
	}
}

func (p *proof) say(m mutant, verdict, detail string, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verdicts[verdict]++
	if verdict == survived {
		detail = "and breaks this: " + m.breaks
	}
	fmt.Fprintf(p.stdout, "%-34s %5.1fs  %s %s\n", m.id, took.Seconds(), verdict, detail)
}
