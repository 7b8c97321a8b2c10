// The families of built-in networks, one source file each; builtin.h has their sources.

#ifndef LACUNA_EXAMPLES_GRAPH_BUILTIN_FAMILIES_H_
#define LACUNA_EXAMPLES_GRAPH_BUILTIN_FAMILIES_H_

#include <cstdint>

#include "graph/graph.h"

namespace graph {

Graph Vgg16(int64_t batch, uint64_t seed);
Graph Resnet18(int64_t batch, uint64_t seed);
Graph Resnet50(int64_t batch, uint64_t seed);
Graph MobilenetV2(int64_t batch, uint64_t seed);
Graph Yolov4Tiny(int64_t batch, uint64_t seed);
Graph C3d(int64_t batch, uint64_t seed);
Graph R2Plus1d(int64_t batch, uint64_t seed);
Graph S3d(int64_t batch, uint64_t seed);
Graph Yolov4At416(int64_t batch, uint64_t seed);
Graph Yolov4At608(int64_t batch, uint64_t seed);
Graph PointPillars(int64_t batch, uint64_t seed);
Graph SimpleBaseline(int64_t batch, uint64_t seed);
Graph Wdsr(int64_t batch, uint64_t seed);
Graph StyleTransfer(int64_t batch, uint64_t seed);
Graph Colouring(int64_t batch, uint64_t seed);
Graph Unet3d(int64_t batch, uint64_t seed);
Graph BertBase(int64_t batch, uint64_t seed);
Graph BertBase384(int64_t batch, uint64_t seed);
Graph MobileBert128(int64_t batch, uint64_t seed);
Graph MobileBert384(int64_t batch, uint64_t seed);
Graph GruTimit(int64_t batch, uint64_t seed);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_BUILTIN_FAMILIES_H_
