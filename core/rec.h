/* What the header walk found in a packet, and what became of it: one a packet, borrowed from it. */
#pragma once
#include "core/client.h"
#include "core/outcome.h"
#include "core/proto.h"

#include <stdalign.h>

enum { SIDE_SRC, SIDE_DST };

enum rec_flags {
    REC_ICMP_ERROR = 1,     /* an ICMP error: what it quotes is not traffic */
    REC_FIRST_SEEN = 2,     /* TCP: this packet opened the flow in our table */
    REC_REASSEMBLED = 4,    /* payload lies in the fragment table, not in the packet */
    REC_GROUP = 8,          /* destination is multicast or broadcast, at the IP or Ethernet layer */
    REC_HAS_MAC = 16,       /* mac[] is filled */
    REC_HAS_INNER_MAC = 32, /* inner_mac[] is filled: an Ethernet frame inside a tunnel */
    REC_HAS_VLAN = 64,
    REC_HAS_VNI = 128,     /* VXLAN or Geneve */
    REC_HAS_GRE_KEY = 256, /* GRE key, or ERSPAN session id */
    REC_HAS_IP = 512,      /* src, dst, ip_proto are filled: the innermost header */
    REC_HAS_PORTS = 1024,  /* sport, dport and payload are filled (UDP, TCP, SCTP) */
    REC_CHECKSUM_LIE = 2048,
};

struct rec {
    uint64_t ts_ns;    /* UTC */
    uint64_t ord;      /* number of the packet in the run */
    uint32_t wire_len; /* bytes on the wire */
    uint32_t cap_len;
    uint32_t link; /* LINKTYPE_ */
    uint16_t origin;
    uint16_t flags;   /* enum rec_flags */
    uint8_t outcome;  /* enum outcome */
    uint8_t proto;    /* enum proto */
    uint8_t ip_outer; /* 4, 6, or 0: version of the outermost IP header */
    uint8_t ip_proto; /* of the innermost header */
    uint16_t sport, dport;
    uint16_t service_port; /* the port that names the service: see decode.c */
    uint8_t tcp_flags;
    uint8_t depth; /* headers walked */
    uint32_t tcp_seq, tcp_ack;
    union {
        struct {
            struct addr src, dst;
        };
        struct addr addr[2];   /* by side */
    };                         /* innermost */
    struct cur payload;        /* of UDP, TCP or SCTP; cut to what the IP header says */
    uint32_t payload_wire_len; /* bytes the headers claim, captured or not */
    uint32_t vlan;             /* tag, or outer << 12 | inner */
    uint32_t vni, gre_key;
    uint8_t mac[2][6];       /* [SIDE_SRC], [SIDE_DST]: outermost Ethernet */
    uint8_t inner_mac[2][6]; /* innermost Ethernet */
    uint64_t site;
    struct client client[2]; /* who the source and the destination are */
    uint32_t note[2]; /* by side, for whoever folds the packet and then its messages: a guess, from
                         any time */
};
