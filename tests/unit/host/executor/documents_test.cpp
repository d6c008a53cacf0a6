// SPDX-License-Identifier: Apache-2.0
//
// Documents are edited in place, yet what a plugin was shown stays as it was, and what it passes
// may be anything.
#include "host/executor/documents.hpp"

#include <gmock/gmock.h>

#include <random>

#include "host/executor/values.hpp"

namespace flow::host {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kBytesMax = 1 << 20;

flow_str str(std::string_view text) { return {text.data(), text.size()}; }
std::string_view text(flow_str value) { return {value.data, value.size}; }
const flow_doc& at(const flow_docs& docs, std::size_t index) {
  return *reinterpret_cast<const flow_doc*>(static_cast<const char*>(docs.first) +
                                            index * docs.stride);
}

class DocumentsTest : public testing::Test {
 protected:
  docarray::DocumentProto& add(const std::string& content) {
    auto& document = *message_.mutable_data()->mutable_docs()->add_docs();
    document.set_id("id-" + content);
    document.set_text(content);
    return document;
  }
  flow_docs view() {
    const auto docs = documents_.view_roots();
    EXPECT_TRUE(docs.ok()) << docs.status();
    return docs.value_or(flow_docs{});
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> result;
    for (const auto& document : message_.data().docs().docs()) result.push_back(document.text());
    return result;
  }

  jina::DataRequestProto message_;
  Documents documents_{message_, 7, kBytesMax};
};

TEST_F(DocumentsTest, AreSeenWhereTheyLie) {
  auto& document = add("a text that is too long to be stored inside of a string object");
  document.set_uri("u");
  document.set_mime_type("m");
  (*document.mutable_tags()->mutable_fields())["k"].set_number_value(1);

  const auto docs = view();

  ASSERT_EQ(docs.count, 1U);
  EXPECT_EQ(at(docs, 0).text.data, document.text().data());
  EXPECT_EQ(text(at(docs, 0).uri), "u");
  EXPECT_EQ(text(at(docs, 0).mime_type), "m");
  EXPECT_EQ(at(docs, 0).tags.count, 1U);
  EXPECT_EQ(at(docs, 0).tensor.size, 0U);
}

TEST_F(DocumentsTest, OfARequestWithoutDataStayAway) {
  EXPECT_EQ(view().count, 0U);
  documents_.finish();
  EXPECT_FALSE(message_.has_data());
}

TEST_F(DocumentsTest, KeepTheirViewsWhateverIsSet) {
  add("old").set_uri("old uri");
  auto& blob = add("");
  blob.set_blob("old blob");
  auto& tags = *message_.mutable_data()->mutable_docs()->mutable_docs(0)->mutable_tags();
  (*tags.mutable_fields())["k"].set_string_value("old");
  const auto docs = view();
  const auto* first = at(docs, 0).handle;
  const auto* second = at(docs, 1).handle;
  auto fresh = flow_value{};
  fresh.kind = FLOW_STRING;
  fresh.as.text = str("new");
  std::uint8_t* bytes = nullptr;

  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(documents_.set_text(first, str("new")), FLOW_OK);
    EXPECT_EQ(documents_.set_id(first, str("new")), FLOW_OK);
    EXPECT_EQ(documents_.set_uri(first, str("new")), FLOW_OK);
    EXPECT_EQ(documents_.set_mime_type(first, str("new")), FLOW_OK);
    EXPECT_EQ(documents_.set_tag(first, str("k"), &fresh), FLOW_OK);
    EXPECT_EQ(documents_.new_blob(second, 3, &bytes), FLOW_OK);
  }
  EXPECT_EQ(documents_.remove(first), FLOW_OK);
  documents_.finish();

  EXPECT_EQ(text(at(docs, 0).text), "old");
  EXPECT_EQ(text(at(docs, 0).id), "id-old");
  EXPECT_EQ(text(at(docs, 0).uri), "old uri");
  EXPECT_EQ(text(value_get(&at(docs, 0).tags, str("k")).as.text), "old");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(at(docs, 1).blob.data), 8), "old blob");
  ASSERT_EQ(message_.data().docs().docs_size(), 1);
  EXPECT_EQ(message_.data().docs().docs(0).blob(), std::string(3, '\0'));
}

TEST_F(DocumentsTest, MayBeSetToAPartOfThemselves) {
  add("abcdef");
  const auto docs = view();
  const auto whole = at(docs, 0).text;

  EXPECT_EQ(documents_.set_text(at(docs, 0).handle, {whole.data + 2, 3}), FLOW_OK);

  EXPECT_THAT(texts(), ElementsAre("cde"));
}

TEST_F(DocumentsTest, HoldOneOfTextBlobAndTensor) {
  add("a");
  const auto* doc = at(view(), 0).handle;
  std::uint8_t* bytes = nullptr;
  void* elements = nullptr;
  const std::array<std::uint32_t, 2> extents{2, 2};
  flow_tensor shape{};
  shape.shape = extents.data();
  shape.ndim = 2;
  shape.dtype = {FLOW_FLOAT, 32, 1};
  const auto& document = message_.data().docs().docs(0);

  EXPECT_EQ(documents_.new_blob(doc, 4, &bytes), FLOW_OK);
  EXPECT_EQ(document.content_case(), docarray::DocumentProto::kBlob);
  bytes[0] = 'x';
  EXPECT_EQ(documents_.new_tensor(doc, FLOW_TENSOR, &shape, &elements), FLOW_OK);
  EXPECT_EQ(document.content_case(), docarray::DocumentProto::kTensor);
  bytes[0] = 'y';  // still writable, though it matters to nobody
  EXPECT_EQ(documents_.new_tensor(doc, FLOW_EMBEDDING, &shape, &elements), FLOW_OK);
  EXPECT_EQ(documents_.set_text(doc, str("t")), FLOW_OK);

  EXPECT_EQ(document.text(), "t");
  EXPECT_EQ(document.embedding().dense().dtype(), "<f4");
  EXPECT_EQ(document.embedding().dense().buffer(), std::string(16, '\0'));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(elements) % 16, 0U);
}

TEST_F(DocumentsTest, AreAppendedAndShownAsChildren) {
  add("a");
  const auto* root = at(view(), 0).handle;
  const void* added = nullptr;
  const void* chunk = nullptr;
  const void* match = nullptr;

  EXPECT_EQ(documents_.append(nullptr, FLOW_ROOT, &added), FLOW_OK);
  EXPECT_EQ(documents_.append(root, FLOW_CHUNKS, &chunk), FLOW_OK);
  EXPECT_EQ(documents_.append(chunk, FLOW_MATCHES, &match), FLOW_OK);
  EXPECT_EQ(documents_.set_text(match, str("m")), FLOW_OK);

  const auto& a = message_.data().docs().docs(0);
  EXPECT_EQ(message_.data().docs().docs_size(), 2);
  EXPECT_EQ(a.chunks(0).granularity(), 1U);
  EXPECT_EQ(a.chunks(0).parent_id(), "id-a");
  EXPECT_EQ(a.chunks(0).matches(0).adjacency(), 1U);
  EXPECT_EQ(a.chunks(0).matches(0).granularity(), 1U);
  const auto chunks = documents_.children(root, FLOW_CHUNKS);
  ASSERT_EQ(chunks.count, 1U);
  const auto matches = documents_.children(at(chunks, 0).handle, FLOW_MATCHES);
  EXPECT_EQ(text(at(matches, 0).text), "m");
}

TEST_F(DocumentsTest, AreRemovedWithTheirChildrenAndByAnyHandle) {
  for (const auto* name : {"a", "b", "c", "d"}) add(name);
  message_.mutable_data()->mutable_docs()->mutable_docs(1)->add_chunks()->set_text("chunk");
  const auto docs = view();
  const auto again = view();
  const auto chunks = documents_.children(at(docs, 1).handle, FLOW_CHUNKS);

  EXPECT_EQ(documents_.remove(at(docs, 1).handle), FLOW_OK);
  EXPECT_EQ(documents_.remove(at(docs, 3).handle), FLOW_OK);

  for (const auto* handle : {at(docs, 1).handle, at(again, 1).handle, at(chunks, 0).handle}) {
    EXPECT_EQ(documents_.set_text(handle, str("x")), FLOW_INVALID_ARGUMENT);
    EXPECT_EQ(documents_.remove(handle), FLOW_INVALID_ARGUMENT);
    EXPECT_EQ(documents_.children(handle, FLOW_CHUNKS).count, 0U);
  }
  documents_.finish();
  EXPECT_THAT(texts(), ElementsAre("a", "c"));
  EXPECT_EQ(text(at(chunks, 0).text), "chunk");
}

TEST_F(DocumentsTest, RefuseHandlesThatAreNotTheirs) {
  add("a");
  jina::DataRequestProto other_message = message_;
  Documents other(other_message, 8, kBytesMax);
  const auto foreign = at(*other.view_roots(), 0).handle;
  view();
  const void* added = nullptr;

  for (const void* handle :
       {foreign, static_cast<const void*>(nullptr), static_cast<const void*>(&message_),
        reinterpret_cast<const void*>(std::uintptr_t{7} << 32 | 1)}) {
    EXPECT_EQ(documents_.set_text(handle, str("x")), FLOW_INVALID_ARGUMENT);
    EXPECT_EQ(documents_.remove(handle), FLOW_INVALID_ARGUMENT);
    EXPECT_EQ(documents_.append(handle, FLOW_CHUNKS, &added), FLOW_INVALID_ARGUMENT);
  }
  EXPECT_THAT(texts(), ElementsAre("a"));
}

TEST_F(DocumentsTest, RefuseNonsense) {
  add("a");
  const auto* doc = at(view(), 0).handle;
  std::uint8_t* bytes = nullptr;
  void* elements = nullptr;
  const void* added = nullptr;
  const std::array<std::uint32_t, 3> huge{UINT32_MAX, UINT32_MAX, UINT32_MAX};
  flow_tensor shape{};
  shape.dtype = {FLOW_FLOAT, 32, 1};
  flow_tensor no_shape = shape, huge_shape = shape, odd_type = shape;
  no_shape.ndim = 2;
  huge_shape.shape = huge.data();
  huge_shape.ndim = 3;
  odd_type.dtype.bits = 31;
  flow_value no_kind{};
  no_kind.kind = 77;

  EXPECT_EQ(documents_.set_text(doc, {nullptr, 1}), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.set_text(doc, str("\xc3\x28")), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.set_text(doc, {"x", UINT64_MAX}), FLOW_RESOURCE_EXHAUSTED);
  EXPECT_EQ(documents_.new_blob(doc, 1, nullptr), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.new_blob(doc, kBytesMax + 1, &bytes), FLOW_RESOURCE_EXHAUSTED);
  EXPECT_EQ(documents_.new_tensor(doc, 2, &shape, &elements), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.new_tensor(doc, 0, nullptr, &elements), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.new_tensor(doc, 0, &no_shape, &elements), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.new_tensor(doc, 0, &odd_type, &elements), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.new_tensor(doc, 0, &huge_shape, &elements), FLOW_RESOURCE_EXHAUSTED);
  EXPECT_EQ(documents_.append(nullptr, FLOW_CHUNKS, &added), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.append(doc, FLOW_ROOT, &added), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.append(doc, FLOW_CHUNKS, nullptr), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.set_tag(doc, str("k"), nullptr), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.set_tag(doc, str("k"), &no_kind), FLOW_INVALID_ARGUMENT);
  EXPECT_EQ(documents_.children(doc, 9).count, 0U);
  EXPECT_THAT(texts(), ElementsAre("a"));
}

TEST_F(DocumentsTest, WithAMalformedTensorAreRefusedHoweverDeepItIs) {
  auto& dense = *add("a").add_chunks()->add_matches()->mutable_embedding()->mutable_dense();
  dense.set_dtype("<f4");
  dense.add_shape(2);
  dense.set_buffer("1234567");

  EXPECT_EQ(documents_.view_roots().status().code(), absl::StatusCode::kInvalidArgument);
}

// A plugin may do these things in any order; afterwards the message must be whole, and every view
// that was ever taken readable (the sanitizers look on).
TEST_F(DocumentsTest, SurviveSeededRandomEditing) {
  std::mt19937 random(1);
  const auto pick = [&](std::uint32_t count) {
    return static_cast<std::uint32_t>(random() % count);
  };
  for (int i = 0; i < 8; ++i) add(std::string(static_cast<std::size_t>(i) * 5, 'x'));
  std::vector<flow_docs> views = {view()};
  std::vector<const void*> handles;
  for (std::size_t i = 0; i < 8; ++i) handles.push_back(at(views[0], i).handle);
  const auto any = [&] { return handles[pick(static_cast<std::uint32_t>(handles.size()))]; };

  for (int step = 0; step < 20'000; ++step) {
    const void* added = nullptr;
    std::uint8_t* bytes = nullptr;
    auto value = flow_value{};
    value.kind = pick(4);
    if (value.kind == FLOW_STRING) value.as.text = str("value");
    const std::string content(pick(40), 'y');
    switch (pick(9)) {
      case 0:
        documents_.set_text(any(), str(content));
        break;
      case 1:
        documents_.new_blob(any(), pick(40), &bytes);
        break;
      case 2:
        documents_.set_tag(any(), str(pick(2) == 0 ? "k" : "l"), &value);
        break;
      case 3:
        if (documents_.append(pick(2) == 0 ? nullptr : any(), pick(3), &added) == FLOW_OK) {
          handles.push_back(added);
        }
        break;
      case 4:
        if (handles.size() > 20 && pick(2) == 0) documents_.remove(any());
        break;
      case 5:
        if (pick(50) == 0) {
          views.push_back(documents_.children(any(), 1 + pick(2)));
          for (std::size_t i = 0; i < views.back().count; ++i) {
            handles.push_back(at(views.back(), i).handle);
          }
        }
        break;
      case 6:
        documents_.set_score(any(), str("s"), 0.5);
        break;
      case 7:
        documents_.set_id(any(), str(content));
        break;
      default:
        documents_.set_uri(any(), str(content));
        break;
    }
  }
  documents_.finish();

  std::size_t seen = 0;
  for (const auto& docs : views) {
    for (std::size_t i = 0; i < docs.count; ++i) {
      const auto& doc = at(docs, i);
      seen += std::string(text(doc.text)).size() + std::string(text(doc.uri)).size();
      const auto tag = value_get(&doc.tags, str("k"));
      if (tag.kind == FLOW_STRING) seen += std::string(text(tag.as.text)).size();
    }
  }
  EXPECT_GT(seen, 0U);
  jina::DataRequestProto parsed;
  EXPECT_TRUE(parsed.ParseFromString(message_.SerializeAsString()));
}

// ---- parts
// ---------------------------------------------------------------------------------------

std::vector<std::string> texts_of(
    const std::vector<std::unique_ptr<docarray::DocumentProto>>& part) {
  std::vector<std::string> result;
  for (const auto& document : part) result.push_back(document->text());
  return result;
}

TEST_F(DocumentsTest, LeaveTheMessageAsAPart) {
  add("a");
  add("b");
  const auto docs = view();
  const void* appended = nullptr;
  documents_.append(nullptr, FLOW_ROOT, &appended);
  documents_.set_text(appended, str("c"));
  documents_.remove(at(docs, 1).handle);
  std::vector<std::unique_ptr<docarray::DocumentProto>> part, next;

  EXPECT_EQ(documents_.take_part(part), FLOW_OK);
  EXPECT_EQ(documents_.take_part(next), FLOW_OK);

  EXPECT_THAT(texts_of(part), ElementsAre("a", "c"));
  EXPECT_THAT(next, IsEmpty());
  EXPECT_THAT(texts(), IsEmpty());
}

TEST_F(DocumentsTest, StayInTheMessageBeforeWhatFollows) {
  add("a");
  add("b");
  const auto docs = view();
  documents_.remove(at(docs, 0).handle);

  EXPECT_EQ(documents_.keep_part(), FLOW_OK);
  EXPECT_THAT(texts(), ElementsAre("b"));
  const void* appended = nullptr;
  documents_.append(nullptr, FLOW_ROOT, &appended);
  documents_.set_text(appended, str("c"));
  documents_.append(nullptr, FLOW_ROOT, &appended);
  documents_.remove(appended);
  documents_.finish();

  EXPECT_THAT(texts(), ElementsAre("b", "c"));
}

TEST_F(DocumentsTest, HaveNoHandlesOfThePartBefore) {
  add("a").add_chunks()->set_text("chunk");
  const auto* asked = at(view(), 0).handle;
  const auto* chunk = at(documents_.children(asked, FLOW_CHUNKS), 0).handle;
  const void* appended = nullptr;
  documents_.append(nullptr, FLOW_ROOT, &appended);
  std::vector<std::unique_ptr<docarray::DocumentProto>> part;
  documents_.take_part(part);
  const void* next = nullptr;
  documents_.append(nullptr, FLOW_ROOT, &next);

  for (const auto* dead : {asked, chunk, static_cast<const void*>(appended)}) {
    EXPECT_NE(dead, next);
    EXPECT_EQ(documents_.set_text(dead, str("late")), FLOW_INVALID_ARGUMENT);
    EXPECT_EQ(documents_.remove(dead), FLOW_INVALID_ARGUMENT);
    EXPECT_EQ(documents_.children(dead, FLOW_CHUNKS).count, 0U);
  }
  EXPECT_EQ(documents_.set_text(next, str("in time")), FLOW_OK);
}

TEST_F(DocumentsTest, OfTheRequestAreSeenThroughAllParts) {
  add("old");
  add("removed");
  const auto docs = view();
  documents_.set_text(at(docs, 0).handle, str("new"));
  documents_.remove(at(docs, 1).handle);
  std::vector<std::unique_ptr<docarray::DocumentProto>> part;
  documents_.take_part(part);  // lives on, as the message that is sent does
  for (int i = 0; i < 3; ++i) {
    const void* appended = nullptr;
    documents_.append(nullptr, FLOW_ROOT, &appended);
    documents_.set_text(appended, str("x"));
    documents_.set_text(appended, str("y"));
    std::vector<std::unique_ptr<docarray::DocumentProto>> sent;
    EXPECT_EQ(documents_.take_part(sent), FLOW_OK);
    EXPECT_THAT(texts_of(sent), ElementsAre("y"));
  }

  EXPECT_EQ(text(at(docs, 0).text), "old");
  EXPECT_EQ(text(at(docs, 1).text), "removed");
  EXPECT_THAT(texts_of(part), ElementsAre("new"));
}

TEST_F(DocumentsTest, DoNotTakeADocumentThatLiesWhereARemovedOneLay) {
  for (int i = 0; i < 100; ++i) {
    const void* appended = nullptr;
    documents_.append(nullptr, FLOW_ROOT, &appended);
    documents_.remove(appended);
    documents_.append(nullptr, FLOW_ROOT, &appended);
    EXPECT_EQ(documents_.set_text(appended, str("here")), FLOW_OK);
    std::vector<std::unique_ptr<docarray::DocumentProto>> sent;
    documents_.take_part(sent);
    ASSERT_THAT(texts_of(sent), ElementsAre("here"));
  }
}

TEST_F(DocumentsTest, StayAsTheyAreIfAPartIsTooLarge) {
  add("").set_text(std::string(kBytesMax, 'x'));
  const auto* handle = at(view(), 0).handle;
  std::vector<std::unique_ptr<docarray::DocumentProto>> part;

  EXPECT_EQ(documents_.take_part(part), FLOW_RESOURCE_EXHAUSTED);
  EXPECT_EQ(documents_.keep_part(), FLOW_RESOURCE_EXHAUSTED);

  EXPECT_THAT(part, IsEmpty());
  EXPECT_EQ(documents_.set_text(handle, str("short")), FLOW_OK);
  EXPECT_EQ(documents_.take_part(part), FLOW_OK);
}

TEST_F(DocumentsTest, OfAllKeptPartsFitIntoOneMessage) {
  int parts = 0;
  for (const void* appended = nullptr; parts < 100; ++parts) {
    documents_.append(nullptr, FLOW_ROOT, &appended);
    documents_.set_text(appended, str(std::string(kBytesMax / 4, 'x')));
    if (documents_.keep_part() != FLOW_OK) break;
  }
  EXPECT_EQ(parts, 3);
}

TEST_F(DocumentsTest, OfARequestWithoutDataMakeAPartOfNothing) {
  std::vector<std::unique_ptr<docarray::DocumentProto>> part;
  view();
  EXPECT_EQ(documents_.take_part(part), FLOW_OK);
  EXPECT_EQ(documents_.keep_part(), FLOW_OK);
  EXPECT_THAT(part, IsEmpty());
  EXPECT_FALSE(message_.has_data());
}

}  // namespace
}  // namespace flow::host
