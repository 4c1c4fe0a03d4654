# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# Everything that is made lies in .work; recipes use relative paths, so that the clone may lie anywhere.

SHELL = /bin/bash
.DEFAULT_GOAL = help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## Install what is missing: packages of the distribution, and pinned ones into .work/venv
	@tools/setup.sh all

.PHONY: setup-run
setup-run:
	@tools/setup.sh run

.PHONY: demo
demo: setup-run ## Start three simulated hypervisors and deploy an example fleet on them
	@tools/demo.sh up

.PHONY: demo-down
demo-down: ## Stop the demo and remove what it made
	@tools/demo.sh down

.PHONY: test
test: setup ## Run every gate with the newest ansible-core that the Python here supports
	@tools/check.sh all

.PHONY: sanity
sanity: setup ## Run ansible-test sanity
	@tools/check.sh sanity

.PHONY: units
units: setup ## Run the unit tests and measure their coverage
	@tools/check.sh units

.PHONY: lint
lint: setup ## Run black, ruff, pylint, mypy, yamllint, shellcheck, ansible-lint and antsibull-nox's own checks
	@tools/check.sh lint

.PHONY: docs
docs: setup ## Check the documentation, the changelog and the licences
	@tools/check.sh docs

.PHONY: build
build: setup ## Build the collection's tarball in .work/build, install it offline and import it as Galaxy would
	@tools/check.sh build

.PHONY: lab
lab: setup ## Test the lab of simulated hypervisors
	@tools/check.sh lab

.PHONY: integration
integration: setup ## Test the collection on the lab
	@tools/check.sh integration

.PHONY: faults
faults: setup ## Kill long runs at every libvirt call, where test takes every third, and move guests amid crashes of hosts; slow
	@tools/check.sh faults

.PHONY: machine
machine: setup ## Test on a whole emulated machine what needs another kernel than this one; slow, and no part of test
	@tools/check.sh machine

.PHONY: ceph
ceph: setup ## Test storage pools in a small Ceph cluster, whose packages are installed for that; no part of test
	@tools/check.sh ceph

.PHONY: matrix
matrix: setup ## Run sanity and units with every supported ansible-core and every Python found
	@tools/matrix.sh

.PHONY: bench
bench: setup-run ## Measure beside bare libvirt, community.libvirt and a plain copy; fails no gate
	@.work/venv/bin/python tests/bench/bench.py

.PHONY: nova
nova: ## Compare the scheduler's placements with those of the real Nova, which is installed from PyPI; fails no gate
	@tools/nova.sh

.PHONY: exact
exact: ## Test the scheduler's exact engine with OR-tools, which is installed from PyPI; fails no gate
	@tools/exact.sh

.PHONY: pins
pins: ## Choose new versions for tools/requirements-*.txt
	@tools/pins.sh

.PHONY: clean
clean: ## Stop labs and remove .work
	@tools/clean.sh
