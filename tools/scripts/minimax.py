#!/usr/bin/env python3
#===- minimax.py - Coefficients of codegen/VectorMath.cpp ----------------===//
#
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===//
#
# Prints near-minimax polynomials, lowest power first, found by the Remez
# exchange in 60 digits (needs mpmath). Each problem is
#   max over [a, b] of |weight(x) (target(x) - polynomial(x))| -> min
# and the weight turns the error of the polynomial into that of the function.
#
#===----------------------------------------------------------------------===//

import sys

from mpmath import (cos, erf, erfc, fabs, linspace, log, log1p, lu_solve, matrix,
                    mp, mpf, pi, polyval, sin, sqrt, tanh)

mp.dps = 60
LN2 = log(2)


def remez(target, weight, a, b, degree, rounds=12):
    """Polynomial of `degree` with a levelled weighted error on [a, b]."""
    a, b = mpf(a), mpf(b)
    count = degree + 2
    # Chebyshev extrema as the first reference.
    points = [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * i / (count - 1))
              for i in range(count)]
    grid = linspace(a, b, 2000)
    values = [(x, target(x), weight(x)) for x in grid]
    for _ in range(rounds):
        system = matrix(count, count)
        right = matrix(count, 1)
        for i, x in enumerate(points):
            for k in range(degree + 1):
                system[i, k] = x**k
            system[i, degree + 1] = (-1)**i / weight(x)
            right[i] = target(x)
        solution = lu_solve(system, right)
        coefficients = [solution[k] for k in range(degree + 1)]
        errors = [w * (t - polyval(coefficients[::-1], x))
                  for x, t, w in values]
        # One extremum per run of equal sign is the next reference.
        extrema = []
        for x, error in zip(grid, errors):
            if extrema and (error > 0) == (extrema[-1][1] > 0):
                if fabs(error) > fabs(extrema[-1][1]):
                    extrema[-1] = (x, error)
            else:
                extrema.append((x, error))
        while len(extrema) > count:
            drop = 0 if fabs(extrema[0][1]) < fabs(extrema[-1][1]) else -1
            extrema.pop(drop)
        if len(extrema) < count:
            break
        points = [x for x, _ in extrema]
    return coefficients, max(fabs(e) for e in errors)


def report(name, problem):
    coefficients, error = problem
    print(name, "error", mp.nstr(error, 4))
    print("  ", ", ".join(mp.nstr(c, 9) for c in coefficients))


def main():
    tiny = mpf(10)**-12

    # 2^r = 1 + r q(r), r in [-1/2, 1/2]; the constant 1 is exact.
    for degree in (5, 6):
        report(f"exp2 degree {degree}", remez(
            lambda r: (2**r - 1) / r if r else LN2, lambda r: fabs(r) / 2**r,
            mpf(-0.5), mpf(0.5) + tiny, degree - 1))

    # log(1 + f) = f - f^2/2 + f^3 q(f), f in [-1/4, 1/2].
    def logTail(f):
        if fabs(f) < mpf(10)**-15:
            return mpf(1) / 3
        return (log1p(f) - f + f * f / 2) / f**3
    report("log1p", remez(logTail, lambda f: fabs(f**3 / log1p(f)) if f else mpf(0) + tiny,
                          mpf(-0.25), mpf(0.5) + tiny, 8))

    # tanh(x) = x + x^3 q(x^2), x in [0, 0.625].
    report("tanh", remez(
        lambda s: (tanh(sqrt(s)) / sqrt(s) - 1) / s,
        lambda s: s * sqrt(s) / tanh(sqrt(s)), tiny, mpf(0.625)**2, 5))

    # erf(x) = x + x q(x^2), x in [0, 0.9277].
    split = mpf(475) / 512
    report("erf small", remez(
        lambda s: erf(sqrt(s)) / sqrt(s) - 1,
        lambda s: sqrt(s) / erf(sqrt(s)), tiny, split**2, 5))
    # erf(x) = 1 - exp(-x - x q(x)), x in [0.9277, 4].
    report("erf large", remez(
        lambda x: -log(erfc(x)) / x - 1,
        lambda x: x * erfc(x) / erf(x), split, mpf(4), 6))

    # sin(2 pi x) = x q(x^2) and cos(2 pi x) = 1 + x^2 q(x^2), x in [0, 1/8].
    report("sin of turns", remez(
        lambda s: sin(2 * pi * sqrt(s)) / sqrt(s),
        lambda s: sqrt(s) / sin(2 * pi * sqrt(s)), tiny, mpf(1) / 64, 3))
    report("cos of turns", remez(
        lambda s: (cos(2 * pi * sqrt(s)) - 1) / s,
        lambda s: s / cos(2 * pi * sqrt(s)), tiny, mpf(1) / 64, 3))


if __name__ == "__main__":
    sys.exit(main())
