using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The OpenAPI document: valid, complete, and the same for every configuration.</summary>
public sealed class OpenApiWalks(OpenApiWalks.OneProxy fixture) : IClassFixture<OpenApiWalks.OneProxy>
{
    /// <summary>The page and its files are no API.</summary>
    private static readonly string[] OfThePage = ["/", "/page/{version}/{**file}", "/favicon.svg", "/favicon.ico"];

    private readonly ProxyHost _proxy = fixture.Proxy;

    public sealed class OneProxy : IAsyncDisposable
    {
        public OneProxy() => Proxy = new(("secret-ward", East.Address)) { ["Backends:secret-ward:Forward"] = "true" };

        public WireMockPacs East { get; } = new(new HeldStudy("1.2.1").With("1.2.1.1"));

        public ProxyHost Proxy { get; }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
        }
    }

    [Fact]
    public async Task TheDocumentIsValid()
    {
        var reply = await _proxy.GetAsync("/openapi.json");

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal("application/json", reply["Content-Type"]);
        Assert.StartsWith("3.1", (string)reply.Json["openapi"]!);
        var (document, diagnostic) = OpenApiDocument.Parse(reply.Text, OpenApiConstants.Json);
        Assert.Empty(diagnostic!.Errors);
        Assert.NotEmpty(document!.Paths);
        Assert.Equal(304, (int)(await _proxy.GetAsync("/openapi.json", ("If-None-Match", reply["ETag"]))).Status);
    }

    [Fact]
    public async Task TheDocumentNamesEveryEndpointOfTheProxy()
    {
        var paths = (await _proxy.GetAsync("/openapi.json")).Json["paths"]!.AsObject();
        var described =
            from path in paths
            from method in path.Value!.AsObject()
            select $"{method.Key.ToUpperInvariant()} {path.Key}";
        var mapped =
            from route in _proxy.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            let path = "/" + route.RoutePattern.RawText!.TrimStart('/')
            where !$"{path}/".Contains("/dicomweb/", StringComparison.Ordinal)
            where !OfThePage.Contains(path) && !path.StartsWith("/look", StringComparison.Ordinal)
                && !path.StartsWith("/viewer", StringComparison.Ordinal)
            from method in route.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET"]
            select $"{method} {path}";

        Assert.Equal(mapped.Distinct().Order(), described.Order());
    }

    [Fact]
    public async Task EveryReferenceResolves_AndEveryAnswerHasASchema()
    {
        var json = (await _proxy.GetAsync("/openapi.json")).Json;

        var references = Find(json, "$ref").Select(r => (string)r!).Distinct().ToList();
        Assert.NotEmpty(references);
        foreach (var reference in references)
        {
            Assert.StartsWith("#/", reference);
            Assert.NotNull(reference[2..].Split('/').Aggregate((JsonNode?)json, (node, name) => node?[name]));
        }
        foreach (var (path, item) in json["paths"]!.AsObject())
        {
            foreach (var (method, operation) in item!.AsObject())
            {
                Assert.True(operation!["summary"] is not null, $"{method} {path} has no summary");
                var answers = operation["responses"]!.AsObject();
                Assert.NotEmpty(answers);
                foreach (var (status, answer) in answers.Where(a => a.Key != "204"))
                    Assert.True(Find(answer, "schema").Any(), $"{method} {path} {status} has no schema");
                foreach (var name in path.Split('{').Skip(1).Select(part => part.Split('}')[0]))
                    Assert.Contains(operation["parameters"]!.AsArray(), p => (string)p!["name"]! == name && (string)p["in"]! == "path");
            }
        }
    }

    /// <summary>The members of real answers are those of the schemas.</summary>
    [Theory]
    [InlineData("/health/ready")]
    [InlineData("/health/live")]
    [InlineData("/cache")]
    [InlineData("/store/studies/1.2.1")]
    public async Task AnAnswerHasTheMembersOfItsSchema(string path)
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        var json = (await _proxy.GetAsync("/openapi.json")).Json;
        var template = path.Replace("1.2.1", "{study}", StringComparison.Ordinal);
        var schema = Resolve(json, json["paths"]![template]!["get"]!["responses"]!["200"]!["content"]!["application/json"]!["schema"]!);

        var answer = (await _proxy.GetAsync(path)).Json.AsObject();

        Assert.Equal(schema["properties"]!.AsObject().Select(p => p.Key).Order(), answer.Select(p => p.Key).Order());
    }

    [Fact]
    public async Task TheDocumentNamesNothingOfTheSite()
    {
        await _proxy.GetAsync("/dicomweb/studies");

        var text = (await _proxy.GetAsync("/openapi.json")).Text;

        Assert.DoesNotContain("secret-ward", text, StringComparison.Ordinal);
        Assert.DoesNotContain("127.0.0.1", text, StringComparison.Ordinal);
        Assert.DoesNotContain("1.2.1", text.Replace("3.1.1", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    private static JsonNode Resolve(JsonNode document, JsonNode schema) =>
        (string?)schema["$ref"] is { } reference
            ? reference[2..].Split('/').Aggregate(document, (node, name) => node[name]!)
            : schema;

    private static IEnumerable<JsonNode?> Find(JsonNode? node, string name) => node switch
    {
        JsonObject members => members.SelectMany(m => m.Key == name ? [m.Value] : Find(m.Value, name)),
        JsonArray items => items.SelectMany(item => Find(item, name)),
        _ => [],
    };
}
