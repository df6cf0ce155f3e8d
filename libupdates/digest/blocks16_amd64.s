#include "textflag.h"

// SHA-256 (FIPS 180-4) of sixteen messages at once: each 512-bit register holds one 32-bit word of all of them. Z0 to Z15 are the message
// schedule, Z16 to Z23 the working variables a to h, Z24 to Z26 are free for a moment.

// QUAD transposes four rows of four 128-bit parts: of the words c of each part, for c from 0 to 3, it makes one register.
#define QUAD(r0, r1, r2, r3, t0, t1, t2, t3) \
	VPUNPCKLDQ  r1, r0, t0 \
	VPUNPCKHDQ  r1, r0, t1 \
	VPUNPCKLDQ  r3, r2, t2 \
	VPUNPCKHDQ  r3, r2, t3 \
	VPUNPCKLQDQ t2, t0, r0 \
	VPUNPCKHQDQ t2, t0, r1 \
	VPUNPCKLQDQ t3, t1, r2 \
	VPUNPCKHQDQ t3, t1, r3

// PARTS transposes the 128-bit parts of four registers.
#define PARTS(a, b, c, d, t0, t1, t2, t3) \
	VSHUFI32X4 $0x88, b, a, t0  \
	VSHUFI32X4 $0xdd, b, a, t1  \
	VSHUFI32X4 $0x88, d, c, t2  \
	VSHUFI32X4 $0xdd, d, c, t3  \
	VSHUFI32X4 $0x88, t2, t0, a \
	VSHUFI32X4 $0x88, t3, t1, b \
	VSHUFI32X4 $0xdd, t2, t0, c \
	VSHUFI32X4 $0xdd, t3, t1, d

// ROW loads the next block of message n, as big-endian words.
#define ROW(n, row) \
	MOVQ      (n*8)(SI), AX  \
	VMOVDQU64 (AX)(BX*1), row \
	VPSHUFB   Z31, row, row

// ROUND is one round, with the word w of the schedule and the constant n of the sixteen at R9. What was h is a after it.
#define ROUND(a, b, c, d, e, f, g, h, w, n) \
	VPADDD      w, h, h             \
	VPADDD.BCST (n*4)(R9), h, h     \
	VPRORD      $6, e, Z24          \
	VPRORD      $11, e, Z25         \
	VPRORD      $25, e, Z26         \
	VPTERNLOGD  $0x96, Z26, Z25, Z24 \
	VPADDD      Z24, h, h           \
	VMOVDQA64   e, Z25              \
	VPTERNLOGD  $0xca, g, f, Z25    \
	VPADDD      Z25, h, h           \
	VPADDD      h, d, d             \
	VPRORD      $2, a, Z24          \
	VPRORD      $13, a, Z25         \
	VPRORD      $22, a, Z26         \
	VPTERNLOGD  $0x96, Z26, Z25, Z24 \
	VPADDD      Z24, h, h           \
	VMOVDQA64   a, Z25              \
	VPTERNLOGD  $0xe8, c, b, Z25    \
	VPADDD      Z25, h, h

// NEXT makes a word of the schedule from those 16, 15, 7 and 2 before it; the first of them gives its place.
#define NEXT(w16, w15, w7, w2) \
	VPADDD     w7, w16, w16        \
	VPRORD     $7, w15, Z24        \
	VPRORD     $18, w15, Z25       \
	VPSRLD     $3, w15, Z26        \
	VPTERNLOGD $0x96, Z26, Z25, Z24 \
	VPADDD     Z24, w16, w16       \
	VPRORD     $17, w2, Z24        \
	VPRORD     $19, w2, Z25        \
	VPSRLD     $10, w2, Z26        \
	VPTERNLOGD $0x96, Z26, Z25, Z24 \
	VPADDD     Z24, w16, w16

#define STATE(n, z) VMOVDQU64 (n*64)(DI), z

#define ADDED(n, z) \
	VPADDD    (n*64)(DI), z, z \
	VMOVDQU64 z, (n*64)(DI)

DATA swap<>+0x00(SB)/8, $0x0405060700010203
DATA swap<>+0x08(SB)/8, $0x0c0d0e0f08090a0b
GLOBL swap<>(SB), RODATA|NOPTR, $16

// func blocks16(state *[8][16]uint32, messages *[16]*byte, constants *[64]uint32, blocks int)
TEXT ·blocks16(SB), NOSPLIT, $0-32
	MOVQ state+0(FP), DI
	MOVQ messages+8(FP), SI
	MOVQ constants+16(FP), DX
	MOVQ blocks+24(FP), CX
	XORQ BX, BX

block:
	VBROADCASTI32X4 swap<>(SB), Z31
	ROW(0, Z0)
	ROW(1, Z1)
	ROW(2, Z2)
	ROW(3, Z3)
	ROW(4, Z4)
	ROW(5, Z5)
	ROW(6, Z6)
	ROW(7, Z7)
	ROW(8, Z8)
	ROW(9, Z9)
	ROW(10, Z10)
	ROW(11, Z11)
	ROW(12, Z12)
	ROW(13, Z13)
	ROW(14, Z14)
	ROW(15, Z15)

	QUAD(Z0, Z1, Z2, Z3, Z16, Z17, Z18, Z19)
	QUAD(Z4, Z5, Z6, Z7, Z20, Z21, Z22, Z23)
	QUAD(Z8, Z9, Z10, Z11, Z24, Z25, Z26, Z27)
	QUAD(Z12, Z13, Z14, Z15, Z28, Z29, Z30, Z31)
	PARTS(Z0, Z4, Z8, Z12, Z16, Z17, Z18, Z19)
	PARTS(Z1, Z5, Z9, Z13, Z20, Z21, Z22, Z23)
	PARTS(Z2, Z6, Z10, Z14, Z24, Z25, Z26, Z27)
	PARTS(Z3, Z7, Z11, Z15, Z28, Z29, Z30, Z31)

	STATE(0, Z16)
	STATE(1, Z17)
	STATE(2, Z18)
	STATE(3, Z19)
	STATE(4, Z20)
	STATE(5, Z21)
	STATE(6, Z22)
	STATE(7, Z23)
	MOVQ DX, R9
	MOVQ $3, R8

sixteen:
	ROUND(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z0, 0)
	NEXT(Z0, Z1, Z9, Z14)
	ROUND(Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z1, 1)
	NEXT(Z1, Z2, Z10, Z15)
	ROUND(Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z2, 2)
	NEXT(Z2, Z3, Z11, Z0)
	ROUND(Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z3, 3)
	NEXT(Z3, Z4, Z12, Z1)
	ROUND(Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z4, 4)
	NEXT(Z4, Z5, Z13, Z2)
	ROUND(Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z5, 5)
	NEXT(Z5, Z6, Z14, Z3)
	ROUND(Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z6, 6)
	NEXT(Z6, Z7, Z15, Z4)
	ROUND(Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z7, 7)
	NEXT(Z7, Z8, Z0, Z5)
	ROUND(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z8, 8)
	NEXT(Z8, Z9, Z1, Z6)
	ROUND(Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z9, 9)
	NEXT(Z9, Z10, Z2, Z7)
	ROUND(Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z10, 10)
	NEXT(Z10, Z11, Z3, Z8)
	ROUND(Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z11, 11)
	NEXT(Z11, Z12, Z4, Z9)
	ROUND(Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z12, 12)
	NEXT(Z12, Z13, Z5, Z10)
	ROUND(Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z13, 13)
	NEXT(Z13, Z14, Z6, Z11)
	ROUND(Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z14, 14)
	NEXT(Z14, Z15, Z7, Z12)
	ROUND(Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z15, 15)
	NEXT(Z15, Z0, Z8, Z13)
	ADDQ $64, R9
	DECQ R8
	JNZ  sixteen

	ROUND(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z0, 0)
	ROUND(Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z1, 1)
	ROUND(Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z2, 2)
	ROUND(Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z3, 3)
	ROUND(Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z4, 4)
	ROUND(Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z5, 5)
	ROUND(Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z6, 6)
	ROUND(Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z7, 7)
	ROUND(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z8, 8)
	ROUND(Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z9, 9)
	ROUND(Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z10, 10)
	ROUND(Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z11, 11)
	ROUND(Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z12, 12)
	ROUND(Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z13, 13)
	ROUND(Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z14, 14)
	ROUND(Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z15, 15)

	ADDED(0, Z16)
	ADDED(1, Z17)
	ADDED(2, Z18)
	ADDED(3, Z19)
	ADDED(4, Z20)
	ADDED(5, Z21)
	ADDED(6, Z22)
	ADDED(7, Z23)
	ADDQ $64, BX
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET
