// OpenSSL's libcrypto, which librdkafka loads anyway. No logic.
#ifndef ORDERSTREAM_CCRYPTO_SHIM_H
#define ORDERSTREAM_CCRYPTO_SHIM_H

#include <openssl/evp.h>
#include <openssl/sha.h>

#endif
