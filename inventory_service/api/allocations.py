"""Allocations: acquire, deploy, release."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory_service import asking
from inventory_service.allocate import existing
from inventory_service.allocation_requests import deploy, find_allocation, need_holder, release
from inventory_service.apart import check_alone
from inventory_service.api.authentication import by_token, caller, needs, services
from inventory_service.api.leases import lease_of, wait_until
from inventory_service.api.lists import answer, fields_of, selected
from inventory_service.api.observed import seconds
from inventory_service.api.schemas.allocations import Allocation as AllocationOut
from inventory_service.api.schemas.allocations import (
    AllocationFilter,
    AllocationIn,
    Allocations,
    AllocationWait,
    DeployIn,
    ExtendIn,
)
from inventory_service.api.schemas.operations import Operation as OperationOut
from inventory_service.api.versions import need_version, show_version, versioned
from inventory_service.api.waiting import wait_for
from inventory_service.db import after, hold
from inventory_service.documents.allocation import allocation_document, allocation_documents, taken_document
from inventory_service.documents.operation import operation_document
from inventory_service.durations import LEASE_RULE
from inventory_service.filters.allocations import ALLOCATIONS, SHOW_RELEASED
from inventory_service.images import find_image
from inventory_service.leases import extend
from inventory_service.metrics import ALLOCATION_WAIT_SECONDS
from inventory_service.models import Allocation
from inventory_service.pick import understand
from inventory_service.problems import Invalid
from inventory_service.refusals import refusal
from inventory_service.rights import visible_allocations
from inventory_service.wanted import Wanted
from inventory_service.where import NoneLeft, Search

bp = APIBlueprint("allocations", __name__, url_prefix="/api/v1", tag="Allocations")
by_token(bp, "admin", "user")


@bp.get("/allocations")
@bp.input(AllocationFilter, location="query", arg_name="wanted")
@bp.output(Allocations)
@needs("anyone")
def list_allocations(wanted: AllocationFilter) -> dict[str, Any] | Response:
    """List allocations, the newest first unless sorted otherwise: one's own, and those in the pools that one operates.
    Released ones are listed when `state` or `released_at` is asked for. `state`, `user`, `node` and `set` are short for
    the same words in `filter`.
    """
    fields = fields_of(AllocationOut, wanted.fields)
    query = select(Allocation)
    words = {one.word for one in ALLOCATIONS.terms(wanted.filter, wanted.model_dump())}
    if not words.intersection(SHOW_RELEASED):
        query = query.where(Allocation.state != "released")
    with services().database.read() as session:
        query = query.where(*visible_allocations(session, caller()))
        rows, following = selected(session, ALLOCATIONS, query, wanted)
        return answer(AllocationOut, allocation_documents(session, rows), fields, following)


@bp.post("/allocations")
@bp.input(AllocationIn, arg_name="wanted")
@bp.output(AllocationOut, status_code=201)
@bp.doc(
    responses={
        200: "The caller holds an allocation of that name already, or it waits in line; it is unchanged.",
        202: "Nothing is free: the allocation waits in line (`wait`). Poll it with `?wait=`; DELETE cancels.",
    }
)
@needs("anyone")
@versioned
def acquire(wanted: AllocationIn) -> tuple[dict[str, Any], int]:
    """Take the node that fits best, and deploy it unless `deploy` is false. Asking twice by name is asking once."""
    parts, who = services(), caller()
    check_alone(wanted.not_with, wanted.spread)
    if wanted.deploy and not wanted.image:
        with parts.database.read() as session:
            find_image(session, wanted.image or "")
    login = parts.vault.encrypt_document(wanted.credentials.model_dump())
    asked = Wanted.of(wanted.model_dump() | {"lease": lease_of(wanted)}, login)
    search = Search(parts, who, asked)
    for narrowing in search.narrowings():
        with suppress(NoneLeft), parts.database.write() as session:
            held = existing(session, who, wanted.name) if wanted.name else None
            if held is not None:
                return _shown(session, held), 200
            taken = asking.acquire(session, parts, who, asked, *narrowing)
            if taken is None:
                raise NoneLeft
            after(session, lambda: ALLOCATION_WAIT_SECONDS.labels("at_once").observe(seconds()))
            if wanted.deploy or taken.has_addresses:
                return _shown(session, taken.allocation), 201
            show_version(taken.allocation)
            return taken_document(taken, who.user), 201
    if wanted.wait:
        with suppress(NoneLeft), parts.database.write() as session:
            held = existing(session, who, wanted.name) if wanted.name else None
            if held is not None:
                return _shown(session, held), 200
            allocation = asking.join(session, parts, who, asked, wait_until(wanted))
            if allocation is None:
                raise NoneLeft
            return _shown(session, allocation), 202 if allocation.state == "waiting" else 201
    with parts.database.read() as session:
        raise refusal(session, who, asked, understand(session, who, asked), by_expression=search.excluded())


def _shown(session: Session, allocation: Allocation) -> dict[str, Any]:
    session.flush()
    show_version(allocation)
    return allocation_document(session, allocation)


@bp.get("/allocations/<name>")
@bp.input(AllocationWait, location="query", arg_name="wanted")
@bp.output(AllocationOut)
@needs("holder")
@versioned
def show_allocation(name: str, wanted: AllocationWait) -> dict[str, Any]:
    """Show an allocation: the one held, else the one of that name released last. With `wait`, answer when it has left
    the line, or changed after version `after`, or after so many seconds.
    """
    database = services().database
    with database.read() as session:
        seen = find_allocation(session, caller(), name)
    after = wanted.after if wanted.after is not None else seen.version

    def changed() -> bool | None:
        with database.read() as session:
            row = session.execute(
                select(Allocation.state, Allocation.version).where(Allocation.id == seen.id)
            ).one_or_none()
        waits = row is not None and row.version <= after and (wanted.after is not None or row.state == "waiting")
        return None if waits else True

    if wanted.wait:
        wait_for(f"allocation:{seen.id}", changed, wanted.wait)
    with database.read() as session:
        allocation = find_allocation(session, caller(), name)
        show_version(allocation)
        return allocation_document(session, allocation)


@bp.post("/allocations/<name>/extend")
@bp.input(ExtendIn, arg_name="wanted")
@bp.output(AllocationOut)
@needs("holder")
@versioned
def extend_allocation(name: str, wanted: ExtendIn) -> dict[str, Any]:
    """Let the lease end later, within the limits of the pool; a refusal tells the latest end that is allowed."""
    value = lease_of(wanted)
    if value is None:
        raise Invalid("lease", None, "say how long from now, or until when", LEASE_RULE)
    with services().database.write() as session:
        allocation = find_allocation(session, caller(), name)
        hold(session, allocation)
        need_version(session, allocation)
        show_version(allocation)
        with session.begin_nested() as extension:
            extend(session, allocation, "until" if wanted.until else "lease", value, caller().actor)
            session.flush()
            document = allocation_document(session, allocation)
            if wanted.dry_run:
                extension.rollback()
        if wanted.dry_run:
            session.refresh(allocation)
        return document


@bp.post("/allocations/<name>/deploy")
@bp.input(DeployIn, arg_name="wanted")
@bp.output(OperationOut, status_code=202)
@needs("owner")
@versioned
def deploy_allocation(name: str, wanted: DeployIn) -> dict[str, Any]:
    """Deploy an allocation, try a failed deployment again, or deploy another image on it."""
    parts, who = services(), caller()
    with parts.database.write() as session:
        allocation = find_allocation(session, who, name)
        need_holder(who, allocation)
        need_version(session, allocation)
        operation = deploy(
            session,
            parts,
            allocation,
            who.actor,
            image=wanted.image,
            hostname=wanted.hostname,
            root_disk_serial=wanted.root_disk,
            credentials=wanted.credentials.model_dump() if wanted.credentials else None,
        )
        return operation_document(operation)


@bp.delete("/allocations/<name>")
@bp.output(OperationOut, status_code=202)
@bp.doc(responses={204: "It was released already, or it waited in line and is cancelled."})
@needs("holder")
@versioned
def release_allocation(name: str) -> dict[str, Any] | Response:
    """Give the node back: its disks are erased, then others may have it. Asking again after a failure tries again."""
    parts, who = services(), caller()
    with parts.database.write() as session:
        allocation = find_allocation(session, who, name)
        need_version(session, allocation)
        operation = release(session, parts, allocation, who.actor)
        if operation is None:
            return Response(status=204)
        return operation_document(operation)
