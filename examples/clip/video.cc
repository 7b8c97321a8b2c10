#include "clip/video.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <cerrno>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "clip/frame.h"

namespace clip {
namespace {

using lacuna::Result;
using lacuna::Status;
using lacuna::StatusCode;

struct Free {
  void operator()(AVFormatContext* format) const { avformat_close_input(&format); }
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVDictionary* options) const { av_dict_free(&options); }
  void operator()(SwsContext* converter) const { sws_freeContext(converter); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// While it lives, what FFmpeg logs in this thread is not printed, and its first error is kept: some damage (a Matroska
// file cut short, a wrong checksum of FFV1) is reported in no other way.
class ErrorLog {
 public:
  ErrorLog() {
    static const bool installed = (av_log_set_callback(Record), true);
    static_cast<void>(installed);
    current_ = this;
  }
  ~ErrorLog() { current_ = nullptr; }
  ErrorLog(const ErrorLog&) = delete;
  ErrorLog& operator=(const ErrorLog&) = delete;

  // Preconditions of all: an ErrorLog lives in this thread.
  static bool empty() { return current_->message_[0] == '\0'; }
  static const char* first() { return current_->message_; }
  static void Clear() { current_->message_[0] = '\0'; }

 private:
  static void Record(void* source, int level, const char* format, va_list args) {
    if (current_ == nullptr) return av_log_default_callback(source, level, format, args);
    char* message = current_->message_;
    if (level > AV_LOG_ERROR || message[0] != '\0') return;
    std::vsnprintf(message, sizeof(message_), format, args);
    message[std::strcspn(message, "\r\n")] = '\0';
  }

  static thread_local ErrorLog* current_;
  char message_[100] = {};
};

thread_local ErrorLog* ErrorLog::current_ = nullptr;

Status NoMemory(const std::string& path) {
  return Status::Make(StatusCode::kOutOfMemory, "'%s': no memory to decode it", path.c_str());
}

// `where` is the place in the file: empty if nothing was read yet.
Status Failure(const std::string& path, const std::string& where, int error) {
  if (error == AVERROR(ENOMEM)) return NoMemory(path);
  if (error == AVERROR(EACCES) || error == AVERROR(ENOENT) || error == AVERROR(EPERM)) {
    return Status::Make(StatusCode::kNotFound, "cannot read '%s': %s", path.c_str(), std::strerror(AVUNERROR(error)));
  }
  char reason[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(error, reason, sizeof(reason));
  return Status::Make(StatusCode::kDataLoss, "'%s' is damaged %s: %s", path.c_str(),
                      where.empty() ? "or not a video" : where.c_str(), ErrorLog::empty() ? reason : ErrorLog::first());
}

// One pass over the packets of a file's video stream.
class Demuxer {
 public:
  static Result<Demuxer> Open(const std::string& path) {
    Demuxer demuxer(path);
    // A playlist must not reach the network.
    AVDictionary* raw_options = nullptr;
    av_dict_set(&raw_options, "protocol_whitelist", "file", 0);
    AVFormatContext* raw_format = nullptr;
    const int opened = avformat_open_input(&raw_format, ("file:" + path).c_str(), nullptr, &raw_options);
    const Owned<AVDictionary> options(raw_options);
    if (opened < 0) return Failure(path, "", opened);
    demuxer.format_.reset(raw_format);
    LACUNA_RETURN_IF_ERROR(demuxer.Probe());
    const int stream =
        av_find_best_stream(demuxer.format_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &demuxer.decoder_, /*flags=*/0);
    if (stream == AVERROR_DECODER_NOT_FOUND) {
      return Status::Make(StatusCode::kUnsupported, "'%s': FFmpeg has no decoder for its video", path.c_str());
    }
    if (stream < 0) return Status::Make(StatusCode::kUnsupported, "'%s' has no video stream", path.c_str());
    demuxer.stream_ = demuxer.format_->streams[stream];
    ErrorLog::Clear();  // streams that begin between key frames irritate the probing decoder
    return demuxer;
  }

  const AVStream* stream() const { return stream_; }
  const AVCodec* decoder() const { return decoder_; }

  // Whether there was another packet of the video.
  Result<bool> Next(AVPacket* packet) {
    for (;;) {
      av_packet_unref(packet);
      int error = av_read_frame(format_.get(), packet);
      // Some formats take a file that cannot be read further for one that ends.
      if (error == AVERROR_EOF && format_->pb != nullptr && format_->pb->error < 0) error = format_->pb->error;
      if (error >= 0 && (packet->flags & AV_PKT_FLAG_CORRUPT) != 0) error = AVERROR_INVALIDDATA;
      if ((error < 0 && error != AVERROR_EOF) || !ErrorLog::empty()) return Failure(path_, Where(), error);
      if (error == AVERROR_EOF) return false;
      // Dropped frames are empty packets in an AVI; to the decoder one would mean the end.
      if (packet->stream_index != stream_->index || packet->size == 0) continue;
      ++packets_;
      return true;
    }
  }

 private:
  explicit Demuxer(std::string path) : path_(std::move(path)) {}

  // Formats without a global header show their streams' parameters in the first packets only.
  Status Probe() {
    std::vector<AVDictionary*> options(format_->nb_streams, nullptr);
    for (AVDictionary*& stream : options) av_dict_set_int(&stream, "max_pixels", kMaxFrameSide * kMaxFrameSide, 0);
    const int error = avformat_find_stream_info(format_.get(), options.data());
    for (AVDictionary*& stream : options) av_dict_free(&stream);
    return error < 0 ? Failure(path_, "", error) : Status();
  }

  std::string Where() const { return "after " + std::to_string(packets_) + " packets"; }

  std::string path_;
  Owned<AVFormatContext> format_;
  const AVCodec* decoder_ = nullptr;
  AVStream* stream_ = nullptr;
  int64_t packets_ = 0;
};

// Clockwise quarter turns that put the frames of `stream` upright.
int QuarterTurns(const AVStream* stream) {
  size_t bytes = 0;
  const uint8_t* data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &bytes);
  if (data == nullptr || bytes < 9 * sizeof(int32_t)) return 0;
  int32_t matrix[9];
  std::memcpy(matrix, data, sizeof(matrix));
  const double degrees = -av_display_rotation_get(matrix);  // FFmpeg counts anticlockwise
  return std::isfinite(degrees) ? static_cast<int>(((std::lround(degrees / 90) % 4) + 4) % 4) : 0;
}

// Decoded frames as 8-bit RGB of the same size.
class RgbConverter {
 public:
  // `rgb` lives until the next call.
  Result<Frame> Convert(const AVFrame& frame, const std::string& path) {
    LACUNA_RETURN_IF_ERROR(CheckFrameSize(frame.width, frame.height, path));
    const auto format = static_cast<AVPixelFormat>(frame.format);
    if (!sws_isSupportedInput(format)) {
      const char* name = av_get_pix_fmt_name(format);
      return Status::Make(StatusCode::kUnsupported, "'%s' has pixel format %s, which cannot be converted to RGB",
                          path.c_str(), name != nullptr ? name : "?");
    }
    constexpr int kFlags = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;
    converter_.reset(sws_getCachedContext(converter_.release(), frame.width, frame.height, format, frame.width,
                                          frame.height, AV_PIX_FMT_RGB24, kFlags, nullptr, nullptr, nullptr));
    if (converter_ == nullptr) return NoMemory(path);
    SetColorspace(frame);
    if (rgb_ == nullptr || rgb_->width != frame.width || rgb_->height != frame.height) {
      rgb_.reset(av_frame_alloc());
      if (rgb_ == nullptr) return NoMemory(path);
      rgb_->format = AV_PIX_FMT_RGB24;
      rgb_->width = frame.width;
      rgb_->height = frame.height;
      if (av_frame_get_buffer(rgb_.get(), 0) < 0) return NoMemory(path);
    }
    const int rows =
        sws_scale(converter_.get(), frame.data, frame.linesize, 0, frame.height, rgb_->data, rgb_->linesize);
    if (rows != frame.height) return NoMemory(path);
    return Frame{rgb_->data[0], static_cast<size_t>(rgb_->linesize[0]), frame.width, frame.height};
  }

 private:
  // Matrix and range as the video says; swscale assumes BT.601 and the range of the pixel format where it does not.
  void SetColorspace(const AVFrame& frame) {
    int *matrix = nullptr, *rgb_matrix = nullptr;
    int range = 0, rgb_range = 0, brightness = 0, contrast = 0, saturation = 0;
    if (sws_getColorspaceDetails(converter_.get(), &matrix, &range, &rgb_matrix, &rgb_range, &brightness, &contrast,
                                 &saturation) < 0) {
      return;  // no such conversion: RGB
    }
    if (frame.color_range != AVCOL_RANGE_UNSPECIFIED) range = frame.color_range == AVCOL_RANGE_JPEG;
    sws_setColorspaceDetails(converter_.get(), sws_getCoefficients(frame.colorspace), range, rgb_matrix, rgb_range,
                             brightness, contrast, saturation);
  }

  Owned<SwsContext> converter_;
  Owned<AVFrame> rgb_;
};

// Takes the frames of a clip out of the sequence of decoded ones, of which it expects `count`.
class Sampler {
 public:
  Sampler(int64_t count, Clip& clip, int turns) : count_(count), turns_(turns), clip_(clip) {}

  Status Add(const AVFrame& frame, const std::string& path) {
    const int64_t number = seen_++;
    if (next_ == clip_.frames || SampledFrame(next_, count_, clip_.frames) != number) return Status();
    LACUNA_ASSIGN_OR_RETURN(rgb, converter_.Convert(frame, path));
    rgb.turns = turns_;
    // Below `frames` frames some are wanted twice; the count is an error then, once it is known for sure.
    while (next_ < clip_.frames && SampledFrame(next_, count_, clip_.frames) == number) {
      StoreFrame(rgb, next_++, clip_);
    }
    return Status();
  }

  int64_t seen() const { return seen_; }

 private:
  int64_t count_, next_ = 0, seen_ = 0;
  int turns_;
  Clip& clip_;
  RgbConverter converter_;
};

// kDataLoss if an AVI file is shorter than its first RIFF chunk. FFmpeg takes a cut between two frames for the end.
Status CheckRiffLength(const std::string& path) {
  uint8_t head[12] = {};
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto length = static_cast<int64_t>(file.tellg());
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(head), sizeof(head))) return Status();  // no AVI
  if (std::memcmp(head, "RIFF", 4) != 0 || std::memcmp(head + 8, "AVI ", 4) != 0) return Status();
  const uint32_t payload = AV_RL32(head + 4);
  if (payload == std::numeric_limits<uint32_t>::max() || int64_t{payload} + 8 <= length) return Status();
  return Status::Make(StatusCode::kDataLoss, "'%s' is truncated: it has %lld bytes of %lld", path.c_str(),
                      static_cast<long long>(length), static_cast<long long>(payload) + 8);
}

Result<int64_t> CountPackets(const std::string& path) {
  LACUNA_ASSIGN_OR_RETURN(demuxer, Demuxer::Open(path));
  const Owned<AVPacket> packet(av_packet_alloc());
  if (packet == nullptr) return NoMemory(path);
  for (int64_t count = 0;; ++count) {
    LACUNA_ASSIGN_OR_RETURN(more, demuxer.Next(packet.get()));
    if (!more) return count;
  }
}

// Strict about damage, bounded in size.
Result<Owned<AVCodecContext>> OpenDecoder(const Demuxer& demuxer, const std::string& path) {
  Owned<AVCodecContext> codec(avcodec_alloc_context3(demuxer.decoder()));
  if (codec == nullptr) return NoMemory(path);
  int error = avcodec_parameters_to_context(codec.get(), demuxer.stream()->codecpar);
  codec->max_pixels = kMaxFrameSide * kMaxFrameSide;
  codec->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
  codec->pkt_timebase = demuxer.stream()->time_base;
  if (error >= 0) error = avcodec_open2(codec.get(), demuxer.decoder(), nullptr);
  if (error < 0) return Failure(path, "", error);
  return codec;
}

// Decodes the whole video, of which `count` frames are expected, into `clip`. Returns how many there were.
Result<int64_t> Decode(const std::string& path, int64_t count, Clip& clip) {
  LACUNA_ASSIGN_OR_RETURN(demuxer, Demuxer::Open(path));
  LACUNA_ASSIGN_OR_RETURN(codec, OpenDecoder(demuxer, path));
  const Owned<AVPacket> packet(av_packet_alloc());
  const Owned<AVFrame> frame(av_frame_alloc());
  if (packet == nullptr || frame == nullptr) return NoMemory(path);
  Sampler sampler(count, clip, QuarterTurns(demuxer.stream()));
  const auto damaged = [&](int error) { return Failure(path, "at frame " + std::to_string(sampler.seen()), error); };
  bool more = true, started = false;
  while (more) {
    LACUNA_ASSIGN_OR_RETURN(packet_read, demuxer.Next(packet.get()));
    more = packet_read;
    // A video that was cut out of a longer one may begin with frames that refer to missing ones.
    started = started || !more || (packet->flags & AV_PKT_FLAG_KEY) != 0;
    if (!started) continue;
    int error = avcodec_send_packet(codec.get(), more ? packet.get() : nullptr);
    if (error < 0) return damaged(error);
    while ((error = avcodec_receive_frame(codec.get(), frame.get())) >= 0) {
      if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0) {
        return damaged(AVERROR_INVALIDDATA);
      }
      LACUNA_RETURN_IF_ERROR(sampler.Add(*frame, path));
    }
    if ((error != AVERROR(EAGAIN) && error != AVERROR_EOF) || !ErrorLog::empty()) return damaged(error);
  }
  return sampler.seen();
}

}  // namespace

Result<Clip> ReadVideo(const std::string& path, const ClipOptions& options) {
  const ErrorLog log;
  LACUNA_RETURN_IF_ERROR(CheckRiffLength(path));
  // Headers are often wrong about the number of frames. Packets are quickly counted; where a packet is not a frame,
  // the first decoding counts for a second one.
  LACUNA_ASSIGN_OR_RETURN(packets, CountPackets(path));
  Clip clip = EmptyClip(options);
  LACUNA_ASSIGN_OR_RETURN(count, Decode(path, packets, clip));
  LACUNA_RETURN_IF_ERROR(CheckFrameCount(count, options, path));
  if (count != packets) {
    LACUNA_ASSIGN_OR_RETURN(recount, Decode(path, count, clip));
    if (recount != count) {
      return Status::Make(StatusCode::kDataLoss, "'%s' changed while it was read", path.c_str());
    }
  }
  return clip;
}

}  // namespace clip
