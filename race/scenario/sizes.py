"""What a scenario's named objects are at one page size: a request in bytes and the size class that serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from race.native import SizeClass
from race.scenario.decode import Problem, key
from race.scenario.format import ObjectKind, Shape

PAGE_SIZES = (256, 65536)  # the least and the greatest


@dataclass(frozen=True)
class Size:
    request: int
    size_class: SizeClass


def check_page_size(page_size: int, path: str) -> None:
    least, greatest = PAGE_SIZES
    if not least <= page_size <= greatest or page_size & (page_size - 1):
        raise Problem(
            path, f"page size {page_size} is impossible: it must be a power of two from {least} to {greatest}"
        )


def resolve(objects: Mapping[str, ObjectKind], classes: Sequence[SizeClass], page_size: int) -> dict[str, Size]:
    return {name: _size(kind, classes, page_size, f"$.objects.{key(name)}") for name, kind in objects.items()}


def _size(kind: ObjectKind, classes: Sequence[SizeClass], page_size: int, path: str) -> Size:
    if kind.size is not None and kind.class_ is not None:
        raise Problem(path, "give size or class, not both")
    if kind.class_ is not None:
        found = _of_shape(kind.class_, classes, page_size, path)
        return Size(found.max_request, found)
    if kind.size is None:
        raise Problem(path, "give its size, or its class as { pages = 2, objects = 3 }")
    serving = [c for c in classes if c.max_request >= kind.size]
    if not serving:
        most = max(c.max_request for c in classes)
        raise Problem(
            f"{path}.size",
            f"an object of {kind.size} bytes is larger than page size {page_size} allows; at most {most}",
        )
    return Size(kind.size, min(serving, key=lambda c: c.max_request))


def _of_shape(shape: Shape, classes: Sequence[SizeClass], page_size: int, path: str) -> SizeClass:
    found = [c for c in classes if (c.pages, c.objects) == (shape.pages, shape.objects)]
    if found:
        return max(found, key=lambda c: c.size)
    objects = sorted({c.objects for c in classes if c.pages == shape.pages}, key=lambda n: abs(n - shape.objects))[:5]
    if objects:
        there_are = f"the nearest of {shape.pages} pages have {_listed(objects)} objects"
    else:
        there_are = f"zspages have {_listed(sorted({c.pages for c in classes}))} pages"
    raise Problem(
        f"{path}.class",
        f"no size class has {shape.pages} pages and {shape.objects} objects at page size {page_size}; {there_are}",
    )


def _listed(numbers: list[int]) -> str:
    *most, last = map(str, sorted(numbers))
    return f"{', '.join(most)} or {last}" if most else last
