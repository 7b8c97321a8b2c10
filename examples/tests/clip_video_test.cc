// Clips from videos, which the test makes through FFmpeg's libraries.

#include <doctest/doctest.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

#include <cstdio>
#include <cstring>

#include "clip/frame.h"
#include "tests/clip_files.h"

namespace {

using clip::ClipOptions;
using clip::ReadClip;
using clip_files::CheckFails;
using clip_files::CheckWhole;
using clip_files::LargestError;
using clip_files::MovingSquare;
using clip_files::Pixels;
using clip_files::TemporaryFolder;
using clip_files::Value;
using clip_files::WriteBytes;
using lacuna::StatusCode;

// How a video is written; the container follows from the file's name.
struct Coding {
  const char* file;
  AVCodecID codec;
  AVPixelFormat format;
  float tolerance;  // of a value read back
  int b_frames = 0;
  double clockwise_degrees = 0;  // of the display matrix
  AVColorSpace colorspace = AVCOL_SPC_UNSPECIFIED;
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
};

constexpr float kStep = 1.0f / 255.0f;

const Coding kCodings[] = {
    {"ffv1.mkv", AV_CODEC_ID_FFV1, AV_PIX_FMT_BGR0, 0},
    {"ffv1.avi", AV_CODEC_ID_FFV1, AV_PIX_FMT_BGR0, 0},
    {"raw.avi", AV_CODEC_ID_RAWVIDEO, AV_PIX_FMT_BGR24, 0},
    {"png.mov", AV_CODEC_ID_PNG, AV_PIX_FMT_RGB24, 0},
    {"ffv1_444.mkv", AV_CODEC_ID_FFV1, AV_PIX_FMT_YUV444P, 3.1f * kStep},
    {"mjpeg.avi", AV_CODEC_ID_MJPEG, AV_PIX_FMT_YUVJ444P, 16.1f * kStep},
    {"mpeg4.mp4", AV_CODEC_ID_MPEG4, AV_PIX_FMT_YUV420P, 1, 2},
    {"mpeg2.ts", AV_CODEC_ID_MPEG2VIDEO, AV_PIX_FMT_YUV420P, 1, 2},
};

void Drain(AVCodecContext* codec, AVFormatContext* format, const AVFrame* frame) {
  REQUIRE(avcodec_send_frame(codec, frame) >= 0);
  AVPacket* packet = av_packet_alloc();
  while (avcodec_receive_packet(codec, packet) >= 0) {
    packet->duration = 1;
    av_packet_rescale_ts(packet, codec->time_base, format->streams[0]->time_base);
    packet->stream_index = 0;
    REQUIRE(av_interleaved_write_frame(format, packet) >= 0);
  }
  av_packet_free(&packet);
}

void WriteVideo(const std::string& path, const Coding& coding, const std::vector<Pixels>& frames) {
  const int width = frames[0].width, height = frames[0].height;
  AVFormatContext* format = nullptr;
  REQUIRE(avformat_alloc_output_context2(&format, nullptr, nullptr, path.c_str()) >= 0);
  const AVCodec* encoder = avcodec_find_encoder(coding.codec);
  REQUIRE(encoder != nullptr);
  AVCodecContext* codec = avcodec_alloc_context3(encoder);
  codec->width = width;
  codec->height = height;
  codec->pix_fmt = coding.format;
  codec->time_base = {1, 25};
  codec->framerate = {25, 1};
  codec->max_b_frames = coding.b_frames;
  codec->colorspace = coding.colorspace;
  codec->color_range = coding.range;
  codec->flags |= AV_CODEC_FLAG_QSCALE;
  codec->global_quality = FF_QP2LAMBDA;
  if ((format->oformat->flags & AVFMT_GLOBALHEADER) != 0) codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (coding.codec == AV_CODEC_ID_FFV1) {
    codec->level = 3;  // with checksums
    codec->slices = 4;
    REQUIRE(av_opt_set_int(codec, "slicecrc", 1, AV_OPT_SEARCH_CHILDREN) >= 0);
  }
  REQUIRE(avcodec_open2(codec, encoder, nullptr) >= 0);
  format->flags |= AVFMT_FLAG_BITEXACT;  // the same file in every run
  AVStream* stream = avformat_new_stream(format, nullptr);
  REQUIRE(avcodec_parameters_from_context(stream->codecpar, codec) >= 0);
  stream->time_base = codec->time_base;
  stream->avg_frame_rate = codec->framerate;
  if (coding.clockwise_degrees != 0) {
    uint8_t* matrix = av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t));
    int32_t values[9];
    av_display_rotation_set(values, coding.clockwise_degrees);  // this function counts clockwise
    std::memcpy(matrix, values, sizeof(values));
  }
  REQUIRE(avio_open(&format->pb, path.c_str(), AVIO_FLAG_WRITE) >= 0);
  REQUIRE(avformat_write_header(format, nullptr) >= 0);

  SwsContext* converter =
      sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, coding.format,
                     SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, nullptr, nullptr, nullptr);
  if (coding.colorspace != AVCOL_SPC_UNSPECIFIED || coding.range != AVCOL_RANGE_UNSPECIFIED) {
    const int* rgb = sws_getCoefficients(SWS_CS_DEFAULT);
    REQUIRE(sws_setColorspaceDetails(converter, rgb, 1, sws_getCoefficients(coding.colorspace),
                                     coding.range == AVCOL_RANGE_JPEG, 0, 1 << 16, 1 << 16) >= 0);
  }
  for (size_t i = 0; i < frames.size(); ++i) {
    AVFrame* frame = av_frame_alloc();
    frame->format = coding.format;
    frame->width = width;
    frame->height = height;
    frame->pts = static_cast<int64_t>(i);
    frame->quality = FF_QP2LAMBDA;
    REQUIRE(av_frame_get_buffer(frame, 0) >= 0);
    const uint8_t* rows[] = {frames[i].rgb.data()};
    const int strides[] = {width * 3};
    REQUIRE(sws_scale(converter, rows, strides, 0, height, frame->data, frame->linesize) == height);
    Drain(codec, format, frame);
    av_frame_free(&frame);
  }
  Drain(codec, format, nullptr);
  REQUIRE(av_write_trailer(format) >= 0);
  sws_freeContext(converter);
  avcodec_free_context(&codec);
  avio_closep(&format->pb);
  avformat_free_context(format);
}

std::vector<Pixels> Squares(int count, int width, int height) {
  std::vector<Pixels> frames;
  for (int i = 0; i < count; ++i) frames.push_back(MovingSquare(i, width, height));
  return frames;
}

// FFmpeg's encoders and muxers talk too.
struct Quiet {
  Quiet() { av_log_set_level(AV_LOG_ERROR); }
} const quiet;

TEST_CASE("every frame of a video, as it was written") {
  const std::vector<Pixels> frames = Squares(16, 48, 32);
  const ClipOptions options = {.frames = 16, .height = 32, .width = 48};
  for (const Coding& coding : kCodings) {
    CAPTURE(std::string(coding.file));
    const TemporaryFolder folder;
    WriteVideo(folder / coding.file, coding, frames);
    const auto clip = ReadClip(folder / coding.file, options);
    REQUIRE_MESSAGE(clip.ok(), std::string(clip.status().message()));
    CheckWhole(*clip, options);
    for (int i = 0; i < 16; ++i) {
      CAPTURE(i);
      CHECK(LargestError(*clip, i, frames[static_cast<size_t>(i)]) <= coding.tolerance);
      // The colours of the square survive every coding.
      const int left = 2 * i % 40 + 4;
      for (int channel = 0; channel < 3; ++channel) {
        CHECK((Value(*clip, channel, i, 12, left) > 0.5f) == (i % 3 == channel));
      }
    }
  }
}

TEST_CASE("a video and a folder give the same clip") {
  const std::vector<Pixels> frames = Squares(23, 70, 50);
  const TemporaryFolder folder;
  WriteVideo(folder / "a.mkv", kCodings[0], frames);
  std::filesystem::create_directory(folder / "images");
  for (size_t i = 0; i < frames.size(); ++i) {
    WriteBytes(folder / ("images/" + std::to_string(i) + ".ppm"), clip_files::Ppm(frames[i]));
  }
  for (const ClipOptions& options :
       {ClipOptions{.frames = 16, .height = 32, .width = 32}, ClipOptions{.frames = 1, .height = 7, .width = 9},
        ClipOptions{.frames = 23, .height = 112, .width = 112}}) {
    const auto video = ReadClip(folder / "a.mkv", options);
    const auto images = ReadClip(folder / "images", options);
    REQUIRE_MESSAGE(video.ok(), std::string(video.status().message()));
    REQUIRE(images.ok());
    CHECK(video->values == images->values);
  }
}

TEST_CASE("matrix and range of the colours are those that the video says") {
  const std::vector<Pixels> frames = Squares(1, 32, 32);
  for (const AVColorSpace colorspace : {AVCOL_SPC_SMPTE170M, AVCOL_SPC_BT709, AVCOL_SPC_BT2020_NCL}) {
    for (const AVColorRange range : {AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG}) {
      CAPTURE(colorspace);
      CAPTURE(range);
      const TemporaryFolder folder;
      Coding coding = {"a.mkv", AV_CODEC_ID_FFV1, AV_PIX_FMT_YUV444P, 3.1f * kStep};
      coding.colorspace = colorspace;
      coding.range = range;
      WriteVideo(folder / coding.file, coding, frames);
      const auto clip = ReadClip(folder / coding.file, {.frames = 1, .height = 32, .width = 32});
      REQUIRE_MESSAGE(clip.ok(), std::string(clip.status().message()));
      CHECK(LargestError(*clip, 0, frames[0]) <= coding.tolerance);
    }
  }
}

TEST_CASE("a rotated video is put upright") {
  const Pixels stored = MovingSquare(2, 24, 16);
  Pixels upright = {16, 24, {}};  // `stored`, turned clockwise by a quarter
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 16; ++x) {
      for (int channel = 0; channel < 3; ++channel) upright.rgb.push_back(stored.at(channel, 15 - x, y));
    }
  }
  const TemporaryFolder folder;
  Coding coding = {"a.mov", AV_CODEC_ID_PNG, AV_PIX_FMT_RGB24, 0};
  coding.clockwise_degrees = 90;
  WriteVideo(folder / coding.file, coding, {stored});
  const auto clip = ReadClip(folder / coding.file, {.frames = 1, .height = 24, .width = 16});
  REQUIRE_MESSAGE(clip.ok(), std::string(clip.status().message()));
  CHECK(LargestError(*clip, 0, upright) == 0.0f);
}

TEST_CASE("too few frames") {
  const TemporaryFolder folder;
  for (const Coding& coding : kCodings) {
    WriteVideo(folder / coding.file, coding, Squares(5, 32, 32));
    CheckFails(ReadClip(folder / coding.file, {}), StatusCode::kInvalidArgument,
               {coding.file, "has 5 frames", "options.frames needs 16"});
  }
}

TEST_CASE("frames above the limit") {
  const TemporaryFolder folder;
  WriteVideo(folder / "wide.avi", {"", AV_CODEC_ID_RAWVIDEO, AV_PIX_FMT_BGR24, 0}, {clip_files::OneColour(1, 8196, 2)});
  CheckFails(ReadClip(folder / "wide.avi", {.frames = 1}), StatusCode::kUnsupported,
             {"wide.avi", "8196 x 2", "8192 x 8192"});
}

TEST_CASE("files that are no video") {
  const TemporaryFolder folder;
  const struct {
    const char* name;
    std::string bytes;
  } files[] = {{"empty.mp4", ""},
               {"text.avi", "not a video"},
               {"riff.avi", "RIFF"},
               {"list.m3u8", "#EXTM3U\n#EXTINF:1,\nhttp://localhost:9/a.ts\n#EXT-X-ENDLIST\n"}};
  for (const auto& file : files) {
    CAPTURE(std::string(file.name));
    WriteBytes(folder / file.name, file.bytes);
    CheckFails(ReadClip(folder / file.name, {}), StatusCode::kDataLoss, {folder / file.name, "damaged or not a video"});
  }
  // One second of silence.
  WriteBytes(
      folder / "sound.wav",
      std::string("RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\x40\x1f\0\0", 44) +
          std::string(8000, '\x80'));
  CheckFails(ReadClip(folder / "sound.wav", {}), StatusCode::kUnsupported, {"sound.wav", "no video stream"});
}

TEST_CASE("a file without permission" * doctest::skip(geteuid() == 0)) {
  const TemporaryFolder folder;
  WriteBytes(folder / "a.avi", "RIFF");
  std::filesystem::permissions(folder / "a.avi", std::filesystem::perms::none);
  CheckFails(ReadClip(folder / "a.avi", {}), StatusCode::kNotFound, {"a.avi", "Permission denied"});
}

TEST_CASE("nothing of a damaged video is logged in its thread, and FFmpeg's log works before and after") {
  const TemporaryFolder folder;
  WriteBytes(folder / "a.mp4", std::string("\0\0\0\x18"
                                           "ftypmp42\0\0\0\0mp42isom",
                                           24));
  std::fflush(stderr);
  const int saved = dup(STDERR_FILENO);
  REQUIRE(freopen((folder / "log").c_str(), "w", stderr) != nullptr);
  const auto clip = ReadClip(folder / "a.mp4", {});
  std::fflush(stderr);
  const std::string during = clip_files::ReadBytes(folder / "log");
  av_log(nullptr, AV_LOG_ERROR, "an error of the program's own\n");
  std::fflush(stderr);
  const std::string after = clip_files::ReadBytes(folder / "log");
  dup2(saved, STDERR_FILENO);
  close(saved);
  CheckFails(clip, StatusCode::kDataLoss, {"a.mp4", "moov atom not found"});
  CHECK(during.empty());
  CHECK(after.find("an error of the program's own") != std::string::npos);
}

TEST_CASE("truncated videos are errors, however few frames are asked for") {
  const ClipOptions options = {.frames = 2, .height = 12, .width = 12};
  for (const Coding& coding : kCodings) {
    CAPTURE(std::string(coding.file));
    const TemporaryFolder folder;
    const std::string path = folder / coding.file;
    WriteVideo(path, coding, Squares(16, 48, 32));
    const std::string whole = clip_files::ReadBytes(path);
    for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 150) {
      CAPTURE(size);
      WriteBytes(path, whole.substr(0, size));
      const auto clip = ReadClip(path, options);
      if (clip.ok()) {
        CheckWhole(*clip, options);
        // A transport stream may be cut between two frames; other formats need all but some bytes at their end.
        CHECK((coding.codec == AV_CODEC_ID_MPEG2VIDEO || size > whole.size() * 19 / 20));
      } else {
        const std::string message = clip.status().message();
        CHECK_MESSAGE(message.find(coding.file) != std::string::npos, message);
        CHECK_MESSAGE(clip.status().code() != StatusCode::kNotFound, message);
      }
    }
  }
}

TEST_CASE("checksums are checked") {
  for (const Coding& coding : {kCodings[0], kCodings[1], kCodings[3]}) {
    CAPTURE(std::string(coding.file));
    const TemporaryFolder folder;
    const std::string path = folder / coding.file;
    WriteVideo(path, coding, Squares(16, 48, 32));
    std::string bytes = clip_files::ReadBytes(path);
    bytes[bytes.size() * 2 / 3] ^= 4;
    WriteBytes(path, bytes);
    CheckFails(ReadClip(path, {}), StatusCode::kDataLoss, {coding.file, "is damaged a"});
  }
}

TEST_CASE("damaged videos are an error or a clip") {
  const ClipOptions options = {.frames = 8, .height = 12, .width = 12};
  for (const Coding& coding : kCodings) {
    CAPTURE(std::string(coding.file));
    const TemporaryFolder folder;
    const std::string path = folder / coding.file;
    WriteVideo(path, coding, Squares(8, 24, 16));
    clip_files::ForEachDamage(clip_files::ReadBytes(path), 300, [&](const std::string& bytes) {
      WriteBytes(path, bytes);
      const auto clip = ReadClip(path, options);
      if (clip.ok()) {
        CheckWhole(*clip, options);
      } else {
        const std::string message = clip.status().message();
        CHECK_MESSAGE(message.find(coding.file) != std::string::npos, message);
      }
    });
  }
}

}  // namespace
