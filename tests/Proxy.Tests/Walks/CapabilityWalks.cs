using System.Text.Json.Nodes;
using System.Xml.Linq;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Retrieve Capabilities (PS3.18 §8.9), and the methods that <c>Allow</c> names.</summary>
public sealed class CapabilityWalks(CapabilityWalks.OneProxy fixture) : IClassFixture<CapabilityWalks.OneProxy>
{
    private const string Wadl = "application/vnd.sun.wadl+xml";
    private const string East = "/backends/east/dicomweb";

    private static readonly XNamespace Xml = "http://wadl.dev.java.net/2009/02";

    private readonly ProxyHost _proxy = fixture.Proxy;

    /// <summary>Two PACS; requests are forwarded to one of them.</summary>
    public sealed class OneProxy : IAsyncDisposable
    {
        public OneProxy() => Proxy = new(("east", Pacs.Address), ("west", Pacs.Address)) { ["Backends:east:Forward"] = "true" };

        public WireMockPacs Pacs { get; } = new(new HeldStudy("1.2.1").With("1.2.1.1"));

        public ProxyHost Proxy { get; }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            Pacs.Dispose();
        }
    }

    [Theory]
    [InlineData("/dicomweb", "GET, HEAD, OPTIONS")]
    [InlineData("/dicomweb/", "GET, HEAD, OPTIONS")]
    [InlineData("/dicomweb/series", "GET, HEAD, OPTIONS")]
    [InlineData("/DICOMweb/studies/1.2.1/metadata", "GET, HEAD, OPTIONS")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1", "GET, HEAD, OPTIONS")]
    [InlineData("/backends/west/dicomweb", "GET, HEAD, OPTIONS")]
    [InlineData(East + "/workitems", "GET, HEAD, POST, OPTIONS")]
    [InlineData(East + "/workitems/1.2.3/state", "PUT, OPTIONS")]
    [InlineData(East + "/studies/1.2.1/series/1.2.1.1", "DELETE, GET, HEAD, OPTIONS")]
    public async Task DescribesTheRoot_AtEveryAddressBelowIt(string path, string allow)
    {
        var asked = fixture.Pacs.Requests.Count;
        var reply = await _proxy.SendAsync(HttpMethod.Options, path, []);

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal(Wadl, reply["Content-Type"]);
        Assert.Equal(Sort(allow), Sort(reply["Allow"]));
        var resources = XDocument.Parse(reply.Text).Element(Xml + "application")!.Elements(Xml + "resources").Single();
        Assert.Equal(_proxy.Address + path[..(path.IndexOf("dicomweb", StringComparison.OrdinalIgnoreCase) + 8)].ToLowerInvariant(),
            (string)resources.Attribute("base")!);
        var studies = Assert.Single(resources.Elements(Xml + "resource"), r => (string)r.Attribute("path")! == "studies");
        var search = Assert.Single(studies.Elements(Xml + "method"), m => (string)m.Attribute("name")! == "GET");
        Assert.Equal("SearchForStudies", (string)search.Attribute("id")!);
        Assert.Contains("fuzzymatching", search.Descendants(Xml + "param").Select(p => (string)p.Attribute("name")!));
        Assert.Equal(asked, fixture.Pacs.Requests.Count);
    }

    [Theory]
    [InlineData(Wadl, Wadl)]
    [InlineData("application/json", "application/json")]
    [InlineData("application/dicom+json", "application/dicom+json")]
    [InlineData("*/*", Wadl)]
    [InlineData("application/*", Wadl)]
    [InlineData("text/html, application/json;q=0.5, */*;q=0.1", "application/json")]
    [InlineData(Wadl + ";q=0, */*", "application/json")]
    [InlineData("application/json;q=0.1, " + Wadl, Wadl)]
    public async Task ChoosesTheTypeByAccept(string accept, string type)
    {
        var reply = await _proxy.SendAsync(HttpMethod.Options, "/dicomweb/studies", [("Accept", accept)]);

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal(type, reply["Content-Type"]);
        Assert.Contains("Accept", reply["Vary"]);
    }

    [Theory]
    [InlineData("/dicomweb")]
    [InlineData("/dicomweb/")]
    [InlineData(East + "/")]
    public async Task DescribesTheRootInJson_WhenTheRootIsRequested(string path)
    {
        var reply = await _proxy.GetAsync(path, ("Accept", "application/json"));
        var head = await _proxy.SendAsync(HttpMethod.Head, path, [("Accept", "application/json")]);
        var options = await _proxy.SendAsync(HttpMethod.Options, path, [("Accept", "application/json")]);

        Assert.Equal("application/json", reply["Content-Type"]);
        Assert.Equal(options.Body, reply.Body);
        Assert.Equal(reply["Content-Length"], head["Content-Length"]);
        Assert.Empty(head.Body);
        var resources = reply.Json["application"]!["resources"]!;
        Assert.Equal(_proxy.Address + path.TrimEnd('/'), (string)resources["base"]!);
        Assert.Contains("studies", resources["resource"]!.AsArray().Select(r => (string)r!["path"]!));
        Assert.Equal("private, no-cache", reply["Cache-Control"]);
    }

    [Fact]
    public async Task DescribesTheRootInWadl_WhenTheRootIsRequestedSo()
    {
        var reply = await _proxy.GetAsync("/dicomweb/", ("Accept", Wadl));

        Assert.Equal(Wadl, reply["Content-Type"]);
        Assert.NotNull(XDocument.Parse(reply.Text).Root);
    }

    /// <summary>Without a request for capabilities, the root is the address of WADO-URI (PS3.18 §9.1.2).</summary>
    [Theory]
    [InlineData("/dicomweb", "")]
    [InlineData("/dicomweb/", "*/*")]
    [InlineData("/dicomweb/", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")]
    [InlineData("/dicomweb?requestType=X", "application/json")]
    public async Task RefusesTheRoot_WhenNeitherCapabilitiesNorAnInstanceIsRequested(string path, string accept) =>
        (await _proxy.GetAsync(path, accept.Length > 0 ? [("Accept", accept)] : [])).IsProblem(400, names: "requestType");

    [Fact]
    public async Task Returns406_WhenNoTypeOfCapabilitiesIsAcceptable()
    {
        var reply = await _proxy.SendAsync(HttpMethod.Options, "/dicomweb/studies", [("Accept", "text/html")]);

        reply.IsProblem(406, names: Wadl);
        Assert.Equal(Sort("GET, HEAD, POST, OPTIONS"), Sort(reply["Allow"]));
    }

    [Theory]
    [InlineData("/backends/north/dicomweb/studies")]
    [InlineData("/dicomweb/workitems")]
    [InlineData("/dicomweb/nothing")]
    [InlineData("/backends/west/dicomweb/workitems")]
    public async Task Returns404_WhenTheBackendOrTheResourceIsUnknown(string path)
    {
        var reply = await _proxy.SendAsync(HttpMethod.Options, path, []);

        reply.IsProblem(404);
        Assert.Equal("", reply["Allow"]);
    }

    [Theory]
    [InlineData("DELETE", "/dicomweb/studies", "GET, HEAD, POST, OPTIONS")]
    [InlineData("PATCH", East + "/studies/1.2.1", "GET, HEAD, POST, DELETE, OPTIONS")]
    [InlineData("POST", "/cache", "GET, HEAD, DELETE")]
    public async Task NamesTheAllowedMethods_WhenAMethodIsRefused(string method, string path, string allow)
    {
        var reply = await _proxy.SendAsync(new HttpMethod(method), path, []);

        reply.IsProblem(405);
        Assert.Equal(Sort(allow), Sort(reply["Allow"]));
    }

    [Fact]
    public async Task LeavesPreflightsToCors()
    {
        var reply = await _proxy.SendAsync(
            HttpMethod.Options, "/dicomweb/studies", [("Origin", "http://localhost:3000"), ("Access-Control-Request-Method", "GET")]);

        Assert.Equal(204, (int)reply.Status);
        Assert.Empty(reply.Body);
        Assert.NotEmpty(reply["Access-Control-Allow-Methods"]);
    }

    /// <summary>Every method that the description names exists at its address.</summary>
    [Theory]
    [InlineData("/dicomweb")]
    [InlineData("/backends/west/dicomweb")]
    [InlineData(East)]
    public async Task DescribesOnlyWhatExists(string root)
    {
        var described = (await _proxy.GetAsync(root + "/", ("Accept", "application/json"))).Json["application"]!["resources"]!;
        var methods = Read("", described).ToList();

        Assert.True(methods.Count > 15, $"{methods.Count} methods");
        Assert.Equal(root == East, methods.Any(m => m.Path.StartsWith("/workitems", StringComparison.Ordinal)));
        foreach (var (method, path) in methods)
        {
            var options = await _proxy.SendAsync(HttpMethod.Options, root + path, []);
            Assert.Contains(method, options["Allow"].Split(", "));
        }
    }

    private static IEnumerable<(string Method, string Path)> Read(string path, JsonNode resource)
    {
        foreach (var method in resource["method"]?.AsArray() ?? []) yield return ((string)method!["name"]!, path);
        foreach (var child in resource["resource"]?.AsArray() ?? [])
        {
            var segment = (string)child!["path"]! switch
            {
                "" => "",
                "{resource}" => "/hanging-protocols",
                "{aet}" => "/AE_1",
                "{code}" => "/113001%5EDCM",
                ['{', ..] => "/1.2",
                var name => "/" + name,
            };
            foreach (var found in Read(path + segment, child!)) yield return found;
        }
    }

    private static string Sort(string methods) => string.Join(", ", methods.Split(',', StringSplitOptions.TrimEntries).Order());
}
