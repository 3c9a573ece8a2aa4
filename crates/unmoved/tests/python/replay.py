"""Replays result files of VNN-COMP in onnxruntime, with no tolerance where float32 inputs exist.

    replay.py LIST     each line of LIST: model, property, result file, separated by tabs

A witness is good if onnxruntime's float32 outputs and the inputs, as they are read from the file, satisfy every assertion of the
property in exact arithmetic. Where an input's bounds contain no float32 number, and only there, the input may be 1e-4 outside.
"""

import gzip
import math
import operator
import re
import sys
from fractions import Fraction

import numpy as np
import onnxruntime

TOLERANCE = Fraction(1, 10_000)
COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq, "=": operator.eq}


def read(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt") as file:
        return file.read()


def assertions(text):
    """What stands in every (assert ...), as nested lists."""
    text = re.sub(r";[^\n]*", "", text)
    # An index is a part of the name before it.
    text = re.sub(r"\s*\[\s*([^\]]*?)\s*\]", lambda m: "[" + m.group(1).replace(" ", "") + "]", text)
    stack = [[]]
    for token in re.findall(r"[()]|[^\s()]+", text):
        if token == "(":
            stack.append([])
        elif token == ")":
            stack[-2].append(stack.pop())
        else:
            stack[-1].append(token)
    assert len(stack) == 1, "parentheses"
    return [form[1] for form in stack[0] if form and form[0] == "assert"]


def names(form):
    if isinstance(form, str):
        return {form} if re.match(r"[A-Za-z_]", form) else set()
    return set().union(*map(names, form[1:]))


def value(form, at):
    if isinstance(form, str):
        return at[form] if form in at else Fraction(form)
    terms = [value(f, at) for f in form[1:]]
    if form[0] == "+":
        return sum(terms)
    if form[0] == "-":
        return -terms[0] if len(terms) == 1 else terms[0] - sum(terms[1:])
    assert form[0] == "*", form[0]
    return math.prod(terms)


def holds(form, at, inputs, tolerance):
    if form[0] in ("and", "or"):
        return (all if form[0] == "and" else any)(holds(f, at, inputs, tolerance) for f in form[1:])
    left, right = value(form[1], at), value(form[2], at)
    slack = tolerance if names(form) and names(form) <= inputs else 0
    if form[0] in ("<=", "<"):
        right += slack
    elif form[0] in (">=", ">"):
        right -= slack
    elif abs(left - right) <= slack:
        return True
    return COMPARISONS[form[0]](left, right)


def has_float32(lower, upper):
    near = np.float32(float(lower))
    with np.errstate(over="ignore"):
        around = [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
    return any(np.isfinite(v) and lower <= Fraction(float(v)) <= upper for v in around)


def outside_without_need(forms, at, inputs):
    """Inputs outside of the bounds that every assertion sets, though there is a float32 number between these."""
    ends = {name: [None, None] for name in inputs}
    for form in forms:
        if form[0] in ("<=", ">=") and isinstance(form[1], str) and form[1] in inputs and not names(form[2]):
            ends[form[1]][form[0] == "<="] = value(form[2], {})
    for name, (lower, upper) in ends.items():
        if None in (lower, upper) or lower <= at[name] <= upper:
            continue
        if has_float32(lower, upper):
            yield name


def assignment(lines):
    """Names and float32 values, in the order of the file."""
    if lines[0].startswith("("):
        pairs = re.findall(r"\(\s*([XY]_\d+)\s+(\S+?)\s*\)", "\n".join(lines))
        return [(name, np.float32(float(number))) for name, number in pairs]
    found, waiting = [], []
    for line in lines:
        header = re.fullmatch(r"(\S+)\s+\S+\s+\[([\d,\s]*)\]", line)
        if header:
            shape = [int(n) for n in header.group(2).split(",") if n.strip()]
            waiting = [f"{header.group(1)}[{','.join(map(str, index))}]" for index in np.ndindex(*shape)]
        else:
            found.append((waiting.pop(0), np.float32(float(line))))
    return found


def check(model, prop, result):
    word, *lines = read(result).splitlines()
    assert word == "sat", word
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    [entry] = session.get_inputs()
    shape = [n if isinstance(n, int) and n > 0 else 1 for n in entry.shape]
    found = assignment(lines)
    count = math.prod(shape)
    x = np.array([v for _, v in found[:count]], dtype=np.float32)
    y = session.run(None, {entry.name: x.reshape(shape)})[0].flatten()
    assert len(y) == len(found) - count, "outputs"
    at = {name: Fraction(float(v)) for (name, _), v in zip(found, [*x, *y])}
    inputs = {name for name, _ in found[:count]}
    forms = assertions(read(prop))
    if all(holds(form, at, inputs, 0) for form in forms):
        return "exactly"
    assert all(holds(form, at, inputs, TOLERANCE) for form in forms), "onnxruntime finds it safe"
    needless = list(outside_without_need(forms, at, inputs))
    assert not needless, f"outside of their bounds: {needless[:5]}"
    return "within the tolerance"


def main():
    failed = 0
    for line in read(sys.argv[1]).splitlines():
        model, prop, result = line.split("\t")
        try:
            print(f"{prop}: {check(model, prop, result)}")
        except AssertionError as error:
            failed += 1
            print(f"{model}, {prop}: {error}")
    return 1 if failed else 0


sys.exit(main())
