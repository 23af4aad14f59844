"""Compares two results of one query cell by cell."""

from common import BenchError, key_names, need, result_schema

RELATIVE = 1e-9
# A mean of values of both signs may cancel to nothing, where no relative error exists.
ABSOLUTE = 1e-12
SHOWN = 5


def differences(query, reference, other):
    """What differs between two results (Arrow tables of `result_schema`), as lines of text.

    Keys, counts and validity must be equal, means and sums within RELATIVE of the greater of
    the two. Empty: they agree. A NaN agrees with nothing.
    """
    names = key_names(query)
    reference, other = in_key_order(reference, names), in_key_order(other, names)
    keys, other_keys = key_rows(reference, names), key_rows(other, names)
    if keys != other_keys:
        return key_differences(set(keys), set(other_keys))
    lines = []
    for field in result_schema(query):
        if field.name not in names:
            rows = differing_rows(reference[field.name], other[field.name])
            lines += [
                f"{field.name} at {' '.join(map(str, keys[row]))}: "
                f"{reference[field.name][row].as_py()} against {other[field.name][row].as_py()}"
                for row in rows[:SHOWN]
            ]
            lines += [f"... {len(rows)} cells of {field.name} differ"] * (len(rows) > SHOWN)
    return lines


def in_key_order(table, names):
    """The table sorted by its keys; an error if a key stands twice."""
    table = table.sort_by([(name, "ascending") for name in names])
    keys = key_rows(table, names)
    twice = [key for key, following in zip(keys, keys[1:]) if key == following]
    if twice:
        raise BenchError(
            f"{len(twice)} keys stand twice in a result, the first is {twice[0]}: mend that engine"
        )
    return table


def key_rows(table, names):
    """The keys as a list of tuples, such as (mn, factor, month)."""
    return list(zip(*(table[name].to_pylist() for name in names)))


def key_differences(keys, other_keys):
    """Lines for the rows that stand on one side only."""
    lines = []
    for text, rows in (("missing", keys - other_keys), ("too many", other_keys - keys)):
        lines += [f"row {text}: {' '.join(map(str, row))}" for row in sorted(rows)[:SHOWN]]
        lines += [f"... {len(rows)} rows {text}"] * (len(rows) > SHOWN)
    return lines


def differing_rows(column, other):
    """Row numbers where two columns of one type differ; NULL equals NULL only."""
    np, pa, pc = need("numpy"), need("pyarrow"), need("pyarrow.compute")
    null, other_null = (c.is_null().to_numpy() for c in (column, other))
    if pa.types.is_floating(column.type):
        a, b = (c.to_numpy().astype(float) for c in (column, other))
        room = np.maximum(RELATIVE * np.maximum(np.abs(a), np.abs(b)), ABSOLUTE)
        same = np.abs(a - b) <= room
    else:
        same = pc.fill_null(pc.equal(column, other), False).to_numpy()
    return np.flatnonzero((null != other_null) | (~null & ~other_null & ~same)).tolist()
