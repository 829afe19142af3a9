# Tests of the whole program: the laws, and agreement with other projects' answers about real captures.
# They get the program's path and TELLSCOPE_SHARED, and skip (77) with a reason where the captures or a Python module are not here.
find_program(TELLSCOPE_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH) # Debian's modules are there
find_program(TELLSCOPE_PYTHON python3)
if(NOT TELLSCOPE_PYTHON)
    message(STATUS "no python3: the system tests are left out")
    return()
endif()

add_test(NAME install COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/install.sh ${PROJECT_BINARY_DIR})
add_test(NAME unit COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/unit.sh ${PROJECT_BINARY_DIR}/tellscope-live.service $<TARGET_FILE:tellscope>)
set_tests_properties(unit PROPERTIES SKIP_RETURN_CODE 77)

function(system_test name seconds script)
    add_test(NAME ${name} COMMAND ${TELLSCOPE_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/${script}
        --program $<TARGET_FILE:tellscope> --shared ${TELLSCOPE_SHARED} ${ARGN})
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${seconds} LABELS system
        ENVIRONMENT "ASAN_OPTIONS=quarantine_size_mb=1")
endfunction()

# Sanitized builds are several times slower: they take a part of the captures.
if(TELLSCOPE_SANITIZE OR TELLSCOPE_TSAN)
    set(some --step 16)
    set(few --step 40)
else()
    set(some --step 4)
    set(few --step 20)
endif()

system_test(golden 60 golden/golden.py)
system_test(law_conservation 300 laws/conservation.py ${some})
system_test(law_merging 300 laws/merging.py ${few})
system_test(law_prefixes 300 laws/prefixes.py)
system_test(law_many_captures 600 laws/many.py)
system_test(law_who 120 laws/who.py)
if(TELLSCOPE_SANITIZE OR TELLSCOPE_TSAN)
    system_test(law_jobs 600 laws/jobs.py --step 40)
else()
    system_test(law_jobs 300 laws/jobs.py)
endif()
system_test(law_cuts 600 laws/cuts.py)
system_test(conform_schema 300 conform/schema.py ${some})
system_test(conform_zeek 300 conform/zeek.py)
system_test(conform_probes 300 conform/probes.py)
system_test(conform_dtls_real 300 conform/dtls_real.py)
system_test(conform_fingerprints 300 conform/fingerprints.py)
system_test(conform_quic_opened 60 conform/quic_opened.py)
system_test(conform_client_types 120 conform/client_types.py)
if(NOT TELLSCOPE_SANITIZE) # the same runs as conform_facts_known, judged more strictly: once is enough
    system_test(conform_facts 600 conform/facts.py)
endif()
system_test(conform_facts_known 600 conform/facts.py --known)
system_test(flags 300 system/flags.py ${some})
system_test(whatif 300 system/whatif.py)
system_test(fleet 120 system/fleet.py)
system_test(handshakes 180 system/handshakes.py)
system_test(doctor 120 system/doctor.py)

# Live runs. Those of virtual devices that share nothing may run beside each other.
if(TELLSCOPE_SANITIZE)
    set(ports --step 40)
else()
    set(ports --step 4)
endif()
system_test(tunnels 120 system/tunnels.py)
system_test(live_pcap 600 system/live_pcap.py ${ports})
system_test(live_veth 180 system/live_veth.py)
set_tests_properties(live_veth PROPERTIES RESOURCE_LOCK interfaces)
system_test(crafted 120 system/crafted.py)
system_test(attacks 180 system/attacks.py)
if(NOT TELLSCOPE_SANITIZE) # it puts a library before the program's; test_live_threads stops a disk in sanitized builds
    system_test(live_slow 180 system/live_slow.py)
    set_tests_properties(live_slow PROPERTIES PROCESSORS 2)
endif()
