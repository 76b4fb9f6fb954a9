/* Windows' source of random numbers, for a wine that lacks this library: over the older call that it has. */
#include <stddef.h>

__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *to, unsigned long len);

__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *to, size_t len) {
    return SystemFunction036(to, (unsigned long)len);
}
