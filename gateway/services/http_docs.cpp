// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/http_docs.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/text.hpp"
#include "fmt/format.h"
#include "gateway/services/docs_assets.hpp"
#include "gateway/services/http_paths.hpp"
#include "gateway/services/openapi.hpp"

namespace flow::gateway {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

// ---- /openapi.json ------------------------------------------------------------------------------

// The document, kept until the endpoints change. Confined to its loop.
class OpenApi {
 public:
  OpenApi(const Endpoints& endpoints, std::string title)
      : endpoints_(endpoints), title_(std::move(title)) {}

  HttpResponse answer(const HeaderFields& headers) {
    if (made_of_ != endpoints_.version()) {
      made_of_ = endpoints_.version();
      text_ = openapi_document(endpoints_, title_);
      tag_ = content_tag(text_);
    }
    return unless_known({.body = text_, .headers = {{"cache-control", "no-cache"}}}, tag_, headers);
  }

 private:
  const Endpoints& endpoints_;
  const std::string title_;
  std::optional<std::uint64_t> made_of_;
  std::string text_;
  std::string tag_;
};

// ---- /docs --------------------------------------------------------------------------------------

// All addresses are relative: the page works behind a proxy that serves us under a prefix, too.
std::string swagger_page(std::string_view title) {
  return fmt::format(R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{0}</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png?v={1}">
<link rel="stylesheet" href="docs/swagger-ui.css?v={1}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js?v={1}"></script>
<script>
SwaggerUIBundle({{
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
}});
</script>
</body>
</html>
)",
                     escape_html(title), docs_assets_version());
}

std::string plain_page(std::string_view title, const Endpoints& endpoints) {
  std::string paths = "<li>POST /post, to any endpoint</li>\n";
  for (const CrudPath& crud : kCrudPaths) {
    paths += fmt::format("<li>{} {}</li>\n", crud.method, crud.path);
  }
  for (const auto& [path, offers] : endpoints.all()) {
    if (has_own_path(path)) paths += fmt::format("<li>POST {}</li>\n", escape_html(path));
  }
  return fmt::format(R"(<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{0}</title></head>
<body>
<h1>{0}</h1>
<ul>
{1}</ul>
<p><a href="openapi.json">openapi.json</a> has the details.</p>
</body>
</html>
)",
                     escape_html(title), paths);
}

// Does the client take gzip? "gzip;q=0" is a no.
bool takes_gzip(const HeaderFields& headers) {
  const std::string accepted = core::lower_case(headers.get("accept-encoding"));
  const std::size_t at = accepted.find("gzip");
  if (at == std::string::npos) return false;
  std::string parameters = accepted.substr(at + 4, accepted.find(',', at) - (at + 4));
  std::erase(parameters, ' ');
  return !(parameters == ";q=0" || parameters == ";q=0.0" || parameters == ";q=0.00" ||
           parameters == ";q=0.000");
}

HttpResponse asset_answer(const DocsAsset& asset, const HeaderFields& headers) {
  const bool gzip = takes_gzip(headers);
  HttpResponse response{.body = std::string(gzip ? asset.gzip : asset.plain),
                        .content_type = asset.content_type,
                        // Its address names its version.
                        .headers = {{"cache-control", "public, max-age=31536000, immutable"},
                                    {"vary", "accept-encoding"}}};
  if (gzip) response.headers.emplace_back("content-encoding", "gzip");
  const std::string tag =
      fmt::format("\"{}-{}{}\"", docs_assets_version(), asset.name, gzip ? "-gzip" : "");
  return unless_known(std::move(response), tag, headers);
}

}  // namespace

void add_docs_pages(const Endpoints& endpoints, std::string title, HttpPages& pages) {
  const auto openapi = std::make_shared<OpenApi>(endpoints, title);  // by its page, which is copied
  pages["/openapi.json"].answer = [openapi](std::string_view, const HeaderFields& headers) {
    return openapi->answer(headers);
  };
  pages["/redoc"].answer = [](std::string_view, const HeaderFields&) {
    return HttpResponse{.status = 307, .content_type = {}, .headers = {{"location", "docs"}}};
  };
  pages["/docs"].answer = [&endpoints, title = std::move(title)](std::string_view,
                                                                 const HeaderFields& headers) {
    std::string page = docs_assets().empty() ? plain_page(title, endpoints) : swagger_page(title);
    const std::string tag = content_tag(page);
    return unless_known({.body = std::move(page),
                         .content_type = kHtml,
                         .headers = {{"cache-control", "no-cache"}}},
                        tag, headers);
  };
  for (const DocsAsset& asset : docs_assets()) {
    pages[fmt::format("/docs/{}", asset.name)].answer = [&asset](std::string_view,
                                                                 const HeaderFields& headers) {
      return asset_answer(asset, headers);
    };
  }
}

}  // namespace flow::gateway
