using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>An operator sees which settings are in force and where they are set, but no secret and no address of a PACS.</summary>
public sealed class SettingsWalks
{
    [Fact]
    public async Task ShowsValuesAndSources()
    {
        await using var proxy = Start();
        Directory.CreateDirectory(Path.Combine(proxy.Root, "config"));
        await File.WriteAllTextAsync(
            Path.Combine(proxy.Root, "config", "search.json"),
            """
            {"Search": { "Deadline": "00:00:07", "MaxResults": 1000 }, "Security": { "AllowedHosts": ["pacs.example", "b.example"] } }
            """,
            TestContext.Current.CancellationToken);

        var settings = await ReadAsync(proxy);

        Assert.Equal("00:00:07 False config/search.json", settings["Search:Deadline"]);
        Assert.Equal("1000 True config/search.json", settings["Search:MaxResults"]);
        Assert.Equal("00:00:15 True default", settings["Search:Freshness"]);
        Assert.Equal("Proxy True default", settings["Retrieve:Rendering"]);
        Assert.Equal("pacs.example, b.example False config/search.json", settings["Security:AllowedHosts"]);
        Assert.Equal(" True default", settings["Cache:Disk:Path"]);
        Assert.Equal("00:00:30 True default", settings["Backends:east:Timeout"]);
        Assert.Equal("0 False command line", settings["Prefetch:Priors"]);
        Assert.Equal("http://127.0.0.1:0 False command line", settings["urls"]);
        Assert.Equal(settings.Keys.Order(StringComparer.OrdinalIgnoreCase), settings.Keys);
    }

    [Fact]
    public async Task HidesSecretsAndAddresses()
    {
        await using var proxy = Start();
        proxy["Backends:east:Authentication:Scheme"] = "Basic";
        proxy["Backends:east:Authentication:User"] = "canary-user";
        proxy["Backends:east:Authentication:Password"] = "canary-password";
        proxy["Backends:pair:Destinations:a:Address"] = "http://canary-host/canary-path";
        proxy["Backends:pair:Destinations:a:Host"] = "canary";
        // Of no scheme, and letters only.
        proxy["Backends:pair:Authentication:Token"] = "canary";
        proxy["Backends:pair:HealthCheck:Active:Path"] = "/canary-path";
        proxy["Backends:pair:HealthCheck:Active:Interval"] = "00:00:15";
        proxy["Backends:pair:HttpClient:WebProxy:Address"] = "http://canary-proxy";
        proxy["Kestrel:Certificates:Default:Password"] = "canary-certificate";

        var settings = await ReadAsync(proxy);

        Assert.DoesNotContain("canary", (await proxy.GetAsync("/settings")).Text);
        Assert.Equal("Basic False command line", settings["Backends:east:Authentication:Scheme"]);
        Assert.Equal("00:00:15 False command line", settings["Backends:pair:HealthCheck:Active:Interval"]);
        foreach (var key in (string[])["Address", "Authentication:Password", "Authentication:User"])
            Assert.Equal("(hidden) False command line", settings["Backends:east:" + key]);
    }

    [Fact]
    public async Task ShowsReloadedValues_ButNotThoseThatNeedARestart()
    {
        await using var proxy = Start();
        proxy["hostBuilder:reloadConfigOnChange"] = "true";
        var file = Path.Combine(proxy.Root, "config", "search.json");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        await File.WriteAllTextAsync(
            file, """{ "Search": { "Deadline": "00:00:07" } }""", TestContext.Current.CancellationToken);
        Assert.Equal("00:00:07 False config/search.json", (await ReadAsync(proxy))["Search:Deadline"]);

        await File.WriteAllTextAsync(
            file, """{ "Search": { "Deadline": "00:00:08" }, "Shutdown": { "Drain": "00:00:01" } }""",
            TestContext.Current.CancellationToken);

        await Until.TrueAsync(async () => (await ReadAsync(proxy))["Search:Deadline"] == "00:00:08 False config/search.json");
        Assert.Equal("00:00:30 True default", (await ReadAsync(proxy))["Shutdown:Drain"]);
    }

    private static ProxyHost Start() => new(("east", "http://canary-host:1/dicom-web")) { ["Search:Deadline"] = null };

    private static async Task<Dictionary<string, string>> ReadAsync(ProxyHost proxy) =>
        (await proxy.GetAsync("/settings")).Json["settings"]!.AsArray().ToDictionary(
            setting => (string)setting!["key"]!, setting => $"{setting!["value"]} {(bool)setting["isDefault"]!} {setting["source"]}");
}
