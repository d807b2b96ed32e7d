/* NVML's library with one GPU that is not there: what nvidia-ml-py calls it by, and the structures it hands over. */
#include <string.h>
#include <time.h>

typedef unsigned int uint;
typedef unsigned long long ull;
typedef struct { uint id, scope; long long at, latency; uint type, status; union { double d; ull l; } value; } Field;
typedef struct { uint pid; ull memory; uint gpu_instance, compute_instance; } Process;
typedef struct { ull total, free, used; } Memory;
typedef struct { uint gpu, memory; } Utilisation;
typedef struct { uint version; int sensor, celsius; } Temperature;

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, OTHER_VERSION = 25 };

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

uint nvmlInitWithFlags(uint flags) { return SUCCESS; }
uint nvmlShutdown(void) { return SUCCESS; }
uint nvmlSystemGetDriverVersion(char *text, uint size) { strcpy(text, "580.65.06"); return SUCCESS; }
uint nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13020; return SUCCESS; }
uint nvmlDeviceGetCount_v2(uint *count) { *count = 1; return SUCCESS; }
uint nvmlDeviceGetHandleByIndex_v2(uint index, void **gpu) { *gpu = (void *)1; return SUCCESS; }
uint nvmlDeviceGetHandleByUUID(const char *uuid, void **gpu) {
    *gpu = (void *)1;
    return strcmp(uuid, "GPU-stub") ? NOT_FOUND : SUCCESS;
}
uint nvmlDeviceGetUUID(void *gpu, char *text, uint size) { strcpy(text, "GPU-stub"); return SUCCESS; }
uint nvmlDeviceGetName(void *gpu, char *text, uint size) { strcpy(text, "NVIDIA H200"); return SUCCESS; }
uint nvmlDeviceGetMigMode(void *gpu, uint *current, uint *pending) { *current = *pending = 0; return SUCCESS; }
uint nvmlDeviceGetEnforcedPowerLimit(void *gpu, uint *milliwatts) { *milliwatts = 700000; return SUCCESS; }
uint nvmlDeviceGetCudaComputeCapability(void *gpu, int *major, int *minor) { *major = 9; *minor = 0; return SUCCESS; }
uint nvmlDeviceGetPersistenceMode(void *gpu, uint *on) { *on = 1; return SUCCESS; }
uint nvmlDeviceGetClockInfo(void *gpu, uint clock, uint *mhz) { *mhz = clock == 1 ? 1755 : 3201; return SUCCESS; }
uint nvmlDeviceGetMaxClockInfo(void *gpu, uint clock, uint *mhz) { *mhz = clock == 1 ? 1980 : 3201; return SUCCESS; }
uint nvmlDeviceGetTemperatureV(void *gpu, Temperature *read) {
    read->celsius = 61;
    return read->version == (sizeof(Temperature) | 1 << 24) ? SUCCESS : OTHER_VERSION;
}
uint nvmlDeviceGetPowerUsage(void *gpu, uint *milliwatts) { *milliwatts = 650000; return SUCCESS; }
uint nvmlDeviceGetTotalEnergyConsumption(void *gpu, ull *millijoules) {
    *millijoules = (ull)(seconds() * 10) * 65000; /* 650 W, ten times a second */
    return SUCCESS;
}
uint nvmlDeviceGetCurrentClocksEventReasons(void *gpu, ull *bits) { *bits = 4; return SUCCESS; }
uint nvmlDeviceGetFieldValues(void *gpu, int count, Field *fields) {
    for (int i = 0; i < count; i++) {
        fields[i].status = fields[i].id == 74 ? SUCCESS : NOT_SUPPORTED;
        fields[i].type = 3; /* unsigned long long */
        fields[i].value.l = (ull)(seconds() * 0.5e9);
    }
    return SUCCESS;
}
uint nvmlDeviceGetUtilizationRates(void *gpu, Utilisation *read) { read->gpu = 97; read->memory = 40; return SUCCESS; }
uint nvmlDeviceGetMemoryInfo(void *gpu, Memory *read) {
    read->total = 150000000000ull;
    read->used = 9000000000ull;
    read->free = read->total - read->used;
    return SUCCESS;
}
uint nvmlDeviceGetComputeRunningProcesses_v3(void *gpu, uint *count, Process *processes) {
    uint room = *count;
    *count = 1;
    if (!processes || room < 1)
        return TOO_SMALL;
    memset(processes, 0, sizeof(Process));
    processes[0].pid = 4194305;
    return SUCCESS;
}
