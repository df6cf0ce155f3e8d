package digest

import "sync/atomic"

// partSize is the number of bytes of a part, a multiple of a span.
const partSize = 8 * span

// A job is a stream, or a part of one that is processed apart from the others.
type job struct {
	Stream
	tree *Tree // of the part
	of   *whole
}

// A whole is a stream that may consist of several jobs.
type whole struct {
	Stream
	trees []Tree // of its parts, in order
	left  atomic.Int64
}

// split returns the jobs of a stream. Only the fs-verity digest can be made of parts.
func split(s Stream) []job {
	size := max(s.Size, 1)
	if s.Kinds == Verity {
		size = partSize
	}
	w := &whole{Stream: s, trees: make([]Tree, max(1, (s.Size+size-1)/size))}
	w.left.Store(int64(len(w.trees)))
	jobs := make([]job, len(w.trees))
	for i := range jobs {
		from := int64(i) * size
		jobs[i] = job{s.from(from, min(size, s.Size-from)), &w.trees[i], w}
	}
	return jobs
}

// from returns the part of the stream with those bytes.
func (s Stream) from(from, size int64) Stream {
	part := s
	part.Size, part.Offset = size, s.Offset+from
	part.Read = func(p []byte, off int64) error { return s.Read(p, from+off) }
	if s.Write != nil {
		part.Write = func(p []byte, off int64) error { return s.Write(p, from+off) }
	}
	return part
}

// over is called when a job has been processed without error. The last one of a stream checks its digests.
func (j job) over(sum Sum) error {
	w := j.of
	if w.left.Add(-1) > 0 || w.Check == nil {
		return nil
	}
	sums := Sums{SHA256: sum}
	if w.Kinds&Verity != 0 {
		whole := &w.trees[0]
		for i := range w.trees[1:] {
			whole.join(&w.trees[i+1])
		}
		sums.Verity = whole.Sum()
	}
	return w.Check(sums)
}
