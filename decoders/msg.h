#pragma once
#include "core/msg.h"
