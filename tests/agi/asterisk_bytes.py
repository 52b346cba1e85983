"""What Asterisk 22 puts on the wire for AGI(agi://127.0.0.1:4573/route,DIALED,LINKEDID,CALLER)."""


def header_block(
    dialed: str = "442079460123",
    linkedid: str = "1763817000.42",
    caller: str = "+447700900123",
    *,
    script: str = "route",
    name: bytes = b"Alice",
    dnid: bytes = b"442079460123",
) -> bytes:
    return b"".join(
        [
            b"agi_network: yes\n",
            f"agi_network_script: {script}\n".encode(),
            f"agi_request: agi://127.0.0.1:4573/{script}\n".encode(),
            b"agi_channel: PJSIP/carrier-0000002a\n",
            b"agi_language: en\nagi_type: PJSIP\n",
            f"agi_uniqueid: {linkedid}\nagi_version: 22.10.1\n".encode(),
            f"agi_callerid: {caller}\n".encode(),
            b"agi_calleridname: " + name + b"\n",
            b"agi_callingpres: 0\nagi_callingani2: 0\nagi_callington: 0\nagi_callingtns: 0\n",
            b"agi_dnid: " + dnid + b"\n",
            b"agi_rdnis: unknown\nagi_context: leaseline-in\n",
            f"agi_extension: {dialed}\n".encode(),
            b"agi_priority: 12\nagi_enhanced: 0.0\nagi_accountcode: \nagi_threadid: 140245\n",
            f"agi_arg_1: {dialed}\nagi_arg_2: {linkedid}\nagi_arg_3: {caller}\n\n".encode(),
        ]
    )
