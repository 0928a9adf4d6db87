"""Retrieves an encrypted job's result with nothing of ours: EIP-712 by eth-account, HPKE by pyhpke, keys by cryptography.

Reads one JSON object from standard input:
  api, token, job_id, submitter_key, chain_id, registry, key_manager (pinned address), result_hash
Prints one JSON object: {"opened": the result, "public_key_hash": 0x-hex}. Anything that does not hold is an exception.
"""

import base64
import hashlib
import json
import secrets
import sys
import urllib.request

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_account import Account
from eth_account.messages import encode_typed_data
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey

SUITE = CipherSuite.new(KEMId.DHKEM_P256_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)


def typed(domain, name, fields, message):
    return encode_typed_data(domain, {name: fields}, message)


def main():
    given = json.load(sys.stdin)
    job_id = given["job_id"]
    domain = {
        "name": "ZamaJobs",
        "version": "1",
        "chainId": given["chain_id"],
        "verifyingContract": given["registry"],
    }
    private_key = ec.generate_private_key(ec.SECP256R1())
    public_key = private_key.public_key()
    der = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    public_key_hash = hashlib.sha256(der).digest()
    nonce = secrets.token_bytes(32)

    request = typed(
        domain,
        "RetrieveResult",
        [
            {"name": "jobId", "type": "string"},
            {"name": "retrievalNonce", "type": "bytes32"},
            {"name": "publicKeyHash", "type": "bytes32"},
            {"name": "deadline", "type": "uint256"},
        ],
        {"jobId": job_id, "retrievalNonce": nonce, "publicKeyHash": public_key_hash, "deadline": 0},
    )
    signature = Account.sign_message(request, given["submitter_key"]).signature
    body = {
        "clientSignature": "0x" + bytes(signature).hex(),
        "retrievalNonce": "0x" + nonce.hex(),
        "client_public_key": pem,
    }
    post = urllib.request.Request(
        f"{given['api']}/v1/jobs/{job_id}/fhe-result",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {given['token']}", "Content-Type": "application/json"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(post, timeout=60) as answered:
        answer = json.load(answered)

    assert answer["job_id"] == job_id, answer
    assert answer["mode"] == "sealed", answer
    assert answer["suite"] == "DHKEM(P-256,HKDF-SHA256),HKDF-SHA256,AES-256-GCM", answer
    assert answer["result_hash"] == given["result_hash"], answer
    enc, ciphertext, info, aad = (base64.b64decode(answer[name]) for name in ("enc", "ciphertext", "info", "aad"))
    assert info == b"zama-jobs/v1/result", info
    assert aad == bytes.fromhex(job_id.replace("-", "")), aad

    sealed = typed(
        domain,
        "SealedResult",
        [
            {"name": "jobId", "type": "string"},
            {"name": "resultHash", "type": "bytes32"},
            {"name": "publicKeyHash", "type": "bytes32"},
            {"name": "retrievalNonce", "type": "bytes32"},
            {"name": "enc", "type": "bytes"},
            {"name": "ciphertext", "type": "bytes"},
        ],
        {
            "jobId": job_id,
            "resultHash": bytes.fromhex(answer["result_hash"][2:]),
            "publicKeyHash": public_key_hash,
            "retrievalNonce": nonce,
            "enc": enc,
            "ciphertext": ciphertext,
        },
    )
    signer = Account.recover_message(sealed, signature=base64.b64decode(answer["kms_signature"]))
    assert signer.lower() == given["key_manager"].lower(), signer

    recipient = SUITE.create_recipient_context(enc, KEMKey.from_pyca_cryptography_key(private_key), info=info)
    opened = recipient.open(ciphertext, aad=aad)
    print(json.dumps({"opened": json.loads(opened), "public_key_hash": "0x" + public_key_hash.hex()}))


main()
