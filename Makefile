# The two commands that matter: make demo, make test. `make help` lists the rest.
SHELL := /bin/bash
VENV := .venv
PYTHON ?= python3
export PATH := $(CURDIR)/$(VENV)/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

.DEFAULT_GOAL := help
.PHONY: help demo demo-clean test test-postgresql test-quick test-long checks bench bench-pool clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# What a bare Debian 12 lacks to make a virtual environment and to let Ansible use apt.
$(VENV)/ready: pyproject.toml command/pyproject.toml constraints.txt
	dpkg -s python3-venv python3-apt openssh-client iproute2 > /dev/null 2>&1 || \
	  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3-venv python3-apt openssh-client iproute2; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[worker,dev]' --editable ./command
	bash tests/link_collection.sh
	touch $@

# Debian's PostgreSQL, of which the tests start a server of their own.
$(VENV)/test-ready: $(VENV)/ready
	dpkg -s postgresql > /dev/null 2>&1 || \
	  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql; }
	touch $@

demo: $(VENV)/ready ## A pool of three virtual machines, and one of them through its whole life
	python -m testbed.demo

demo-clean: $(VENV)/ready ## Take the demo away: no process, namespace or disk is left
	python -m testbed.clean

# What the pool promises, and whatever a database may see differently; make test-postgresql runs all of the service's tests.
GUARANTEES := $(patsubst %,tests/service/test_%.py,allocate durability idempotency leases line machine migrations outage processes quotas races relay sets)

test: $(VENV)/test-ready ## All the tests, the boots included (under 50 minutes on two cores)
	bash tests/checks.sh
	python -m pytest -n 2 --dist loadfile -m "not boot and not long and not bench" --ignore tests/integration_lab
	python -m pytest -n 2 --dist loadfile --database postgresql -m "not boot and not long and not bench" $(GUARANTEES)
	python -m pytest -m "not long and not bench" tests/integration_lab
	python -m pytest -m "boot and not long and not bench" tests/e2e
	python -m pytest -m "boot and not long and not bench" tests/node

test-postgresql: $(VENV)/test-ready ## All the tests of the service on PostgreSQL
	python -m pytest -n 2 --dist loadfile --database postgresql -m "not boot and not long and not bench" tests/service

test-quick: $(VENV)/test-ready ## The tests without boots
	bash tests/checks.sh
	python -m pytest -n 2 --dist loadfile -m "not boot and not long and not bench" --ignore tests/integration_lab

test-long: $(VENV)/test-ready ## What does not fit into 50 minutes
	python -m pytest --database both -m long

checks: $(VENV)/ready ## Linters, types, ansible-test sanity, collection build and import
	bash tests/checks.sh

bench: $(VENV)/ready ## The figures of docs/benchmarks.md
	python -m testbed.bench
	$(MAKE) bench-pool

bench-pool: $(VENV)/ready ## Those of the pool alone, without virtual machines (15 minutes at most)
	dpkg -s postgresql mariadb-server > /dev/null 2>&1 || \
	  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql mariadb-server; }
	python -m tests.benchmarks

clean: ## Forget the virtual environment and what the checks built
	rm -rf $(VENV) dist .ansible tests/output
