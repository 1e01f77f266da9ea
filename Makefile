# SPDX-License-Identifier: Apache-2.0
# Veer: one non-recursive Makefile. `make help` lists its targets.
#
# Each mode has a directory of its own, so that objects never mix: SANITIZE=address,undefined and SANITIZE=thread build
# below build/<mode>/, the default mode directly below build/.

SHELL := /bin/bash
comma := ,
SANITIZE ?=
MODE := $(if $(SANITIZE),$(subst $(comma),-,$(SANITIZE)),default)
B := $(if $(SANITIZE),build/$(MODE),build)
O := $(B)/obj

PACKAGES := gcc make pkg-config libmicrohttpd-dev libmaxminddb-dev libsqlite3-dev libjansson-dev \
	libyaml-dev libcurl4-openssl-dev libssl-dev libnghttp2-dev libre2-dev libldns-dev g++
TEST_PACKAGES := libfstrm-dev fstrm-bin libcmocka-dev python3 python3-grpcio python3-pytest python3-dnspython openssl procps iproute2 nftables curl systemd clang-format git

CC := gcc
CXX := g++ # only for base/regex.cc
VERSION := 0.1.0
# dnstap is built only where libfstrm is installed
HAVE_FSTRM := $(shell pkg-config --exists libfstrm && echo yes)
OTHER_DNSTAP := $(if $(HAVE_FSTRM),dnsd/tap/dnstap_none.c,dnsd/tap/dnstap.c)
PKGS_tap := $(if $(HAVE_FSTRM),libfstrm)
PKGS_base := jansson yaml-0.1 libcurl libssl libcrypto re2
PKGS_all := jansson yaml-0.1 libcurl libssl libcrypto libnghttp2 re2 libmaxminddb libmicrohttpd sqlite3 $(PKGS_tap)
# tests read our output with the parser of another project
PKGS_test := $(PKGS_all) ldns

CPP_FLAGS = -D_GNU_SOURCE -I. -DVEER_VERSION='"$(VERSION)"' $(CPPFLAGS)
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef \
	-Wswitch-enum -Wpointer-arith -Wcast-qual
HARDEN := $(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
SANITIZERS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
# A packager's CFLAGS, CXXFLAGS, CPPFLAGS and LDFLAGS come after our flags; WERROR=1 makes warnings errors.
CFLAGS ?= -O2 -g
CXXFLAGS ?= $(CFLAGS)
OUR_FLAGS := -fPIE -fno-strict-aliasing -pthread $(if $(WERROR),-Werror) $(HARDEN) $(SANITIZERS)
C_FLAGS = -std=gnu17 $(WARN) $(OUR_FLAGS) $(CFLAGS)
CXX_FLAGS = -std=c++17 $(filter-out -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wconversion,$(WARN)) $(OUR_FLAGS) $(CXXFLAGS)
LD_FLAGS = -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZERS) $(LDFLAGS)
PREFIX ?= /usr/local

objs = $(patsubst %,$(O)/%.o,$(basename $(1)))
# The sources of these folders. Each program's main.c is left out: it is linked by name.
srcs = $(filter-out %/main.c $(OTHER_DNSTAP),$(foreach d,$(1),$(wildcard $(d)/*.c $(d)/*.cc)))

ROOMS_base := base base/node
ROOMS_zones := zones/dns zones/model zones/plan
ROOMS_store := zones/store
ROOMS_verdict := probes/verdict
ROOMS_agent := probes probes/agent
ROOMS_dnsd := dnsd dnsd/packet dnsd/serve dnsd/replica dnsd/tap
ROOMS_api := api api/http api/control api/rest
ROOMS_cli := api/cli

LIB_base := $(O)/libbase.a
LIB_zones := $(O)/libzones.a
LIB_store := $(O)/libstore.a
LIB_verdict := $(O)/libverdict.a
LIB_agent := $(O)/libagent.a
LIB_dnsd := $(O)/libdnsd.a
LIB_api := $(O)/libapi.a
LIB_cli := $(O)/libcli.a
PROGRAMS := $(B)/veer-dnsd $(B)/veer-api $(B)/veer-probe $(B)/veer

UNIT_SRCS := $(wildcard tests/unit/test_*.c)
UNIT_BINS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(UNIT_SRCS))
UNIT_HELP := $(filter-out $(UNIT_SRCS),$(wildcard tests/unit/*.c))
TOOL_SRCS := $(wildcard tests/tools/*.c)
TOOL_BINS := $(patsubst tests/tools/%.c,$(B)/tests/%,$(TOOL_SRCS))
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_HELP := tests/fuzz/served.c
FUZZ_BINS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(FUZZ_SRCS))
SIM_BIN := $(B)/tests/sim
REPLAY_BINS := $(patsubst tests/fuzz/%.c,$(B)/tests/replay_%,$(FUZZ_SRCS))

# To move the demonstration to other ports: make run DNS_PORT=5301
export DNS_PORT API_PORT SITE_PORT

.PHONY: all coverage libraries run test unit functional differential differential-text abuse attacks lint format fuzz fuzz-run bench bench-https siege steady detect load replies http2 sim sim-mutants histories openapi clean help deps test-deps install tests
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)  ## build the four programs below build/

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' Makefile | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 22
	@echo '  SANITIZE=address,undefined or SANITIZE=thread builds and tests with sanitizers'

deps:
	@deploy/install-packages $(PACKAGES)

test-deps:
	@deploy/install-packages $(PACKAGES) $(TEST_PACKAGES)

run: deps  ## install what is missing, build, and start the demonstration
	@$(MAKE) --no-print-directory all
	@exec $(B)/veer demo run

test: test-deps  ## install what is missing, build, and run every test
	@$(MAKE) --no-print-directory tests
	@$(MAKE) --no-print-directory lint
	@tests/tools/fetch-peers build/peers || echo 'Peers to compare with cannot be fetched: those tests are skipped'
	@/usr/bin/python3 tests/run.py --build $(B)

tests: all $(UNIT_BINS) $(TOOL_BINS) $(REPLAY_BINS) $(SIM_BIN)

differential: all  ## ask veer-dnsd, Knot and NSD 200,000 questions about 350 zones and judge every difference
	@tests/tools/fetch-peers build/peers
	@/usr/bin/python3 tests/functional/differential.py --build $(B) --handwritten --questions 1000
	@/usr/bin/python3 tests/functional/differential.py --build $(B) --zones 200 --questions 600

differential-text: all $(TOOL_BINS)  ## read 100,000 generated lines of zone files with Veer and BIND, and judge every difference
	@tests/tools/fetch-peers build/peers
	@/usr/bin/python3 tests/functional/text_differential.py --build $(B)

http2: tests  ## probe 30,000 replies of all sizes from real servers of HTTP/1.1 and 2, on new and kept connections: none may fail; adds up over runs
	@tests/tools/fetch-peers build/peers
	@VEER_BUILD=$(B) /usr/bin/python3 tests/functional/http_peers.py

bench: all $(TOOL_BINS)  ## measure CPU per query beside NSD, Knot, gdnsd and a bare echo
	@tests/tools/fetch-peers build/peers
	@/usr/bin/python3 tests/bench/bench.py --build $(B)

BEFORE ?=
bench-https: all $(TOOL_BINS)  ## measure the cost of a check by HTTPS, beside blackbox_exporter, OpenSSL alone and another build (BEFORE=DIR)
	@/usr/bin/python3 tests/bench/bench.py --build $(B) --only https $(if $(BEFORE),--before $(BEFORE))

abuse: all $(TOOL_BINS)  ## slow connections and floods beside normal clients: these must be answered, and memory must stay bounded
	@VEER_BUILD=$(B) /usr/bin/python3 tests/functional/abuse.py

ATTACK_S ?= 30
attacks: all  ## test failover and drains while the control plane is attacked, ATTACK_S= seconds for each attack
	@VEER_BUILD=$(B) VEER_ATTACK_S=$(ATTACK_S) /usr/bin/python3 -m pytest -q -s -p no:cacheprovider tests/functional/test_shares.py

MINUTES ?= 45
steady: all  ## look for false alarms: agents on bad paths, cut off and lying, for MINUTES= of real probing (needs root, nftables)
	@VEER_BUILD=$(B) /usr/bin/python3 tests/bench/steady_health.py $(MINUTES)

detect: all  ## measure the time from a site's failure to the first answer without it, by kind of failure (needs root, nftables)
	@VEER_BUILD=$(B) /usr/bin/python3 tests/bench/detect.py

load: all $(TOOL_BINS)  ## measure what 10 agents with 10,000 endpoints cost the control plane, while all are well and while all fail
	@VEER_BUILD=$(B) /usr/bin/python3 tests/bench/load.py

REPLIES ?= 100000
# The progress with this version of the readers: an interrupted run continues; after a change of the code it starts anew.
REPLIES_STATE = build/replies/$(shell cat probes/agent/http*.[ch] probes/agent/wire.[ch] probes/agent/check*.[ch] tests/unit/*repl*.[ch] | sha256sum | cut -c1-12)
replies: $(B)/tests/test_reply_paths  ## play REPLIES= mutated HTTP replies in clear, by TLS, on kept connections and after a redirect: all must give one verdict; adds up over runs
	@mkdir -p $(REPLIES_STATE) && cp -u $(B)/tests/test_reply_paths $(REPLIES_STATE)/play; next=$$(cat $(REPLIES_STATE)/next 2>/dev/null || echo 0); \
	while [ $$next -lt $(REPLIES) ]; do \
		VEER_REPLIES_FROM=$$next VEER_REPLIES=1000 $(REPLIES_STATE)/play >$(REPLIES_STATE)/log 2>&1 || \
			{ cat $(REPLIES_STATE)/log; exit 1; }; \
		next=$$((next + 1000)); echo $$next >$(REPLIES_STATE)/next; \
	done; echo "$$next replies, one verdict of each"

unit: $(UNIT_BINS) $(REPLAY_BINS) $(SIM_BIN)  ## build and run the C unit tests only
	@/usr/bin/python3 tests/run.py --build $(B) --unit-only

functional: all $(TOOL_BINS)  ## build and run the tests with real programs only
	@/usr/bin/python3 tests/run.py --build $(B) --functional-only

HISTORIES ?= 20000
EVENTS ?= 1000
FROM ?= 0
# The progress with this version of engine and simulation: an interrupted run continues; after a change it starts anew.
SIM_STATE = build/sim/$(shell cat probes/verdict/verdict*.[ch] base/index.c base/strmap.c tests/sim/*.[ch] | sha256sum | cut -c1-12)-$(EVENTS)-$(FROM)
sim: $(SIM_BIN)  ## play histories of the verdict engine against its invariants (HISTORIES= EVENTS= FROM=); adds up over runs
	@mkdir -p $(SIM_STATE) && cp -u $(SIM_BIN) $(SIM_STATE)/sim
	@$(SIM_STATE)/sim --histories $(HISTORIES) --events $(EVENTS) --from $(FROM) --progress $(SIM_STATE)/progress

sim-mutants: $(SIM_BIN)  ## plant each bug of tests/sim/mutants in the verdict engine: the simulation must find it
	@tests/sim/mutants.py --build $(B)
	@tests/sim/builds.py --build $(B)

STORES ?= 300
SEED ?= 0
histories: all  ## play STORES= histories of backups, rollbacks, copies and losses with real programs (SEED=); adds up over runs
	@mkdir -p $(B)/histories
	@VEER_BUILD=$(B) /usr/bin/python3 tests/functional/histories.py --histories $(STORES) --from $(SEED) --progress $(B)/histories/passed

siege: SECONDS = 1200
siege: all  ## run everything at once for SECONDS= (1200): faults, attacks, full disks and lost stores drawn from SEED=; an interrupted run continues
	@mkdir -p $(B)/siege
	@VEER_BUILD=$(B) /usr/bin/python3 tests/functional/siege.py --seconds $(SECONDS) --seed $(SEED) --progress $(B)/siege/$(SEED).json

openapi: $(B)/tests/check_fields  ## write api/openapi.json and api/openapi.html from the routes, the tables and api/openapi/
	@/usr/bin/python3 api/openapi/make.py $(B)/tests/check_fields

lint:  ## check the include directions, banned calls, unused functions and file headers
	@/usr/bin/python3 tests/lint.py

format:  ## rewrite the C sources with clang-format
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:  ## remove everything that was built
	rm -rf build

install: all  ## install the programs below $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin
	install $(B)/veer $(DESTDIR)$(PREFIX)/bin/
	install $(B)/veer-dnsd $(B)/veer-api $(B)/veer-probe $(DESTDIR)$(PREFIX)/sbin/

coverage:  ## build with gcov in build/coverage, run the unit tests and corpora, and print how many lines of each room ran
	@$(MAKE) --no-print-directory B=build/coverage CFLAGS='-O0 -g --coverage' LDFLAGS=--coverage HARDEN= unit
	@tests/tools/coverage build/coverage

# --- objects and archives ---------------------------------------------------------------------------------

# The Debian package of each library
DEB_jansson := libjansson-dev
DEB_yaml-0.1 := libyaml-dev
DEB_libcurl := libcurl4-openssl-dev
DEB_libssl := libssl-dev
DEB_libcrypto := libssl-dev
DEB_libnghttp2 := libnghttp2-dev
DEB_re2 := libre2-dev
DEB_libmaxminddb := libmaxminddb-dev
DEB_libmicrohttpd := libmicrohttpd-dev
DEB_sqlite3 := libsqlite3-dev
DEB_ldns := libldns-dev
missing = $(sort $(foreach p,$(PKGS_all) ldns,$(if $(shell pkg-config --exists $(p) && echo yes),,$(DEB_$(p)))))
libraries:
	@missing='$(missing)'; [ -z "$$missing" ] || \
		{ echo "Debian packages are missing: $$missing. 'make deps', as root, installs them." >&2; exit 1; }

# pkg-config runs once, when the first object needs its flags
PC_CFLAGS = $(eval PC_CFLAGS := $(shell pkg-config --cflags $(PKGS_all)))$(PC_CFLAGS)
$(O)/%.o: %.c | libraries
	@mkdir -p $(@D)
	@$(CC) $(CPP_FLAGS) $(C_FLAGS) $(PC_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/%.o: %.cc | libraries
	@mkdir -p $(@D)
	@$(CXX) $(CPP_FLAGS) $(CXX_FLAGS) -MMD -MP -c -o $@ $<

# The description of the API is a part of veer-api; its tag changes with every octet of it.
OPENAPI := api/openapi.json api/openapi.html
$(O)/api/rest/openapi.o build/fuzz/obj/api/rest/openapi.o: $(OPENAPI)
$(O)/api/rest/openapi.o build/fuzz/obj/api/rest/openapi.o: \
	CPP_FLAGS += -DOPENAPI_TAG='"$(shell cat $(OPENAPI) | sha256sum | cut -c1-16)"'

$(LIB_base): $(call objs,$(call srcs,$(ROOMS_base)))
$(LIB_zones): $(call objs,$(call srcs,$(ROOMS_zones)))
$(LIB_store): $(call objs,$(call srcs,$(ROOMS_store)))
$(LIB_verdict): $(call objs,$(call srcs,$(ROOMS_verdict)))
$(LIB_agent): $(call objs,$(call srcs,$(ROOMS_agent)))
$(LIB_dnsd): $(call objs,$(call srcs,$(ROOMS_dnsd)))
$(LIB_api): $(call objs,$(call srcs,$(ROOMS_api)))
$(LIB_cli): $(call objs,$(call srcs,$(ROOMS_cli)))
$(O)/%.a:
	@mkdir -p $(@D)
	@rm -f $@ && ar rcs $@ $^

pc_libs = $(shell pkg-config --libs $(1)) $(if $(filter re2,$(1)),-lstdc++)
link = @echo "  LD $@" && mkdir -p $(@D) && $(CC) $(LD_FLAGS) -o $@ $(filter %.o %.a,$^) $(1)

$(B)/veer-dnsd: $(call objs,dnsd/main.c) $(LIB_dnsd) $(LIB_zones) $(LIB_base)
	$(call link,$(call pc_libs,$(PKGS_base) libmaxminddb $(PKGS_tap)) -lm)
$(B)/veer-probe: $(call objs,probes/main.c) $(LIB_agent) $(LIB_verdict) $(LIB_zones) $(LIB_base)
	$(call link,$(call pc_libs,$(PKGS_base) libnghttp2 libmaxminddb) -lm)
$(B)/veer-api: $(call objs,api/main.c) $(LIB_api) $(LIB_verdict) $(LIB_store) $(LIB_zones) $(LIB_base)
	$(call link,$(call pc_libs,$(PKGS_all) ldns) -lm)
$(B)/veer: $(call objs,api/cli/main.c) $(LIB_cli) $(LIB_verdict) $(LIB_zones) $(LIB_base)
	$(call link,$(call pc_libs,$(PKGS_all)) -lm)

ALL_LIBS := $(LIB_cli) $(LIB_api) $(LIB_dnsd) $(LIB_agent) $(LIB_verdict) $(LIB_store) $(LIB_zones) $(LIB_base)
$(B)/tests/%: $(O)/tests/unit/%.o $(call objs,$(UNIT_HELP)) $(ALL_LIBS)
	$(call link,$(call pc_libs,$(PKGS_test)) -lcmocka -lm)
$(B)/tests/%: $(O)/tests/tools/%.o $(ALL_LIBS)
	$(call link,$(call pc_libs,$(PKGS_test)) -lm)
$(B)/tests/replay_%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/replay.o $(call objs,$(FUZZ_HELP)) $(ALL_LIBS)
	$(call link,$(call pc_libs,$(PKGS_test)) -lm)

SIM_OBJS := $(call objs,$(wildcard tests/sim/*.c))
$(SIM_BIN): $(SIM_OBJS) $(LIB_verdict) $(LIB_zones) $(LIB_base)
	$(call link,$(call pc_libs,$(PKGS_base)) -lm)

# clang builds each fuzzer in one step from all sources, so that coverage includes every line.
FUZZ_LIB_SRCS := $(call srcs,$(ROOMS_base) $(ROOMS_zones) $(ROOMS_store) $(ROOMS_verdict) $(ROOMS_agent) $(ROOMS_dnsd) $(ROOMS_api))
fuzz: $(FUZZ_BINS)  ## build the libFuzzer targets (needs clang); run build/fuzz/fuzz_NAME CORPUS

SECONDS ?= 900
fuzz-run: fuzz  ## run the fuzz targets of the packet path, SECONDS= of CPU for each; adds up over runs
	@tests/fuzz/run.py --seconds $(SECONDS)

build/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	@clang $(CPP_FLAGS) -std=gnu17 -O1 -g -pthread -fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=all $(PC_CFLAGS) -MMD -MP -c -o $@ $<
build/fuzz/obj/%.o: %.cc
	@mkdir -p $(@D)
	@clang++ $(CPP_FLAGS) -std=c++17 -O1 -g -pthread -fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=all -MMD -MP -c -o $@ $<
build/fuzz/libveer.a: $(patsubst %,build/fuzz/obj/%.o,$(basename $(FUZZ_LIB_SRCS) $(FUZZ_HELP)))
	@rm -f $@ && ar rcs $@ $^
build/fuzz/fuzz_%: build/fuzz/obj/tests/fuzz/fuzz_%.o build/fuzz/libveer.a
	@clang++ -pthread -fsanitize=fuzzer,address,undefined -o $@ $^ $(call pc_libs,$(PKGS_test)) -lm

-include $(shell find $(O) build/fuzz/obj -name '*.d' 2>/dev/null)
