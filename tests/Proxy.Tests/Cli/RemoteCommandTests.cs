using System.Text.Json.Nodes;
using Proxy.Cli;
using Proxy.Tests.Dimse;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Cli;

/// <summary>Commands that talk to a running proxy, and <c>backends test</c> without one.</summary>
public sealed class RemoteCommandTests : IAsyncDisposable
{
    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1") { PatientName = "[red]DOE^JANE", PatientId = "P\u001b[2J" }.With("1.2.1.1", "CT", instances: 2),
        new HeldStudy("1.2.2") { PatientName = "ROE^RIC", PatientId = "P2" }.With("1.2.2.1", "MR"));
    private readonly WireMockPacs _west = new(new HeldStudy("1.2.3").With("1.2.3.1", "CT"));
    private readonly string _cache = Directory.CreateTempSubdirectory("proxy-cli-").FullName;
    private readonly ProxyHost _proxy;

    public RemoteCommandTests() => _proxy = new(("east", _east.Address), ("west", _west.Address)) { ["Cache:Disk:Path"] = _cache };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
        await Until.DeletedAsync(_cache);
    }

    [Fact]
    public async Task ListsTheStudiesOfAllPacs_AndShowsNamesAsText()
    {
        _west.Fail(500);

        var run = await RunAsync("studies");

        Assert.Equal(ExitCode.Success, run.Code);
        Assert.Contains("[red]DOE^JANE", run.Output);
        Assert.Contains("ROE^RIC", run.Output);
        Assert.DoesNotContain('\u001b', run.Output);
        Assert.Contains("west", run.Error);
        Assert.Contains("2 studies.", run.Error);
    }

    [Fact]
    public async Task WritesStudiesAsJson()
    {
        var run = await RunAsync("studies", "--json", "MR");

        Assert.Equal("1.2.2", (string?)Assert.Single(JsonNode.Parse(run.Output)!.AsArray())!["0020000D"]!["Value"]![0]);
    }

    [Fact]
    public async Task TestsTheBackendsOfTheProxy()
    {
        _west.Fail(401);

        var run = await RunAsync("backends", "test");

        Assert.Equal(ExitCode.Failed, run.Code);
        Assert.Contains("west: authentication failed: 401", run.Output);
        Assert.Contains("remedy: set Backends:west:Authentication", run.Output);
        Assert.Equal(ExitCode.Success, (await RunAsync("backends", "test", "east", "--json")).Code);
        Assert.Equal(ExitCode.Usage, (await RunAsync("backends", "test", "north")).Code);
    }

    [Fact]
    public async Task TestsTheBackendsOfTheLocalSettings_WithoutAProxy()
    {
        var run = await CommandRun.RunAsync(
            "backends", "test", "--json", $"--Backends:east:Address={_east.Address}",
            "--Backends:west:Address=http://pacs.invalid/dicom-web");

        Assert.Equal((ExitCode.Failed, ""), (run.Code, run.Error));
        var reports = JsonNode.Parse(run.Output)!.AsArray();
        Assert.Equal(["ok", "failed"], reports.Select(report => (string?)report!["checks"]![0]!["outcome"]));
        Assert.Equal("ok", (string?)reports[0]!["checks"]![5]!["outcome"]);
        Assert.Equal(0, _proxy.Arrived);
    }

    [Fact]
    public async Task TestsADimseBackendOfTheLocalSettings()
    {
        await using var pacs = new DimsePacs();

        var run = await CommandRun.RunAsync(
            ["backends", "test", "--json", .. pacs.Settings().Select(setting => $"--{setting.Item1}={setting.Item2}")]);

        Assert.Equal("", run.Error);
        Assert.Equal("ok", (string?)JsonNode.Parse(run.Output)![0]!["checks"]![0]!["outcome"]);
    }

    [Fact]
    public async Task PrefetchesAWorkList_AndVerifiesAndPurgesTheCache()
    {
        var prefetch = await RunAsync("prefetch", "--worklist", "CT");
        Assert.Equal(ExitCode.Success, prefetch.Code);
        Assert.Contains("done; 2 of 2 studies, 2 of 2 series, 3 of 3 instances", prefetch.Output);
        await Until.TrueAsync(async () => (int)(await _proxy.GetAsync("/cache")).Json["disk"]!["entries"]! == 3);

        var stats = await RunAsync("cache", "stats");
        Assert.Contains("Disk: ready.", stats.Output);

        Assert.StartsWith("3 files, ", (await VerifyAsync()).Output, StringComparison.Ordinal);
        var file = Directory.EnumerateFiles(Path.Combine(_cache, "entries"), "*", SearchOption.AllDirectories).First();
        var bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(file, bytes, TestContext.Current.CancellationToken);
        var damaged = await VerifyAsync();
        Assert.Equal(ExitCode.Failed, damaged.Code);
        Assert.Contains(": 1 damaged.", damaged.Output);

        Assert.Equal(ExitCode.Usage, (await RunAsync("cache", "purge")).Code);
        var refused = await CommandRun.RunAsync(["cache", "purge", "--url", _proxy.Address], input: "n\n");
        Assert.Matches("^Purge 2 studies, [0-9]+ entries in memory .* and 3 on disk", refused.Error);
        Assert.Equal(3, (int)(await _proxy.GetAsync("/cache")).Json["disk"]!["entries"]!);
        Assert.Equal(ExitCode.Success, (await RunAsync("cache", "purge", "--yes")).Code);
        Assert.Equal(0, (int)(await _proxy.GetAsync("/cache")).Json["memory"]!["entries"]!);

        Task<CommandRun> VerifyAsync() => CommandRun.RunAsync("cache", "verify", $"--Cache:Disk:Path={_cache}");
    }

    [Fact]
    public async Task WritesASupportBundle_WithoutPatientsUidsSecretsAndAddresses()
    {
        _proxy["Backends:east:Authentication:Scheme"] = "Bearer";
        _proxy["Backends:east:Authentication:Token"] = "s3cret";
        _west.Fail(500);
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync("/dicomweb/studies/1.2.3.4.5.6.7/series");
        await RunAsync("backends", "test", "east");

        var run = await RunAsync("doctor", "--output", "-");

        var bundle = JsonNode.Parse(run.Output)!;
        Assert.Equal(["east", "west"], bundle["backends"]!.AsArray().Select(b => (string?)b!["name"]));
        Assert.Equal(9, bundle["backends"]![0]!["lastTest"]!["checks"]!.AsArray().Count);
        Assert.NotEmpty(bundle["warnings"]!.AsArray());
        Assert.NotEmpty(bundle["settings"]!.AsArray());
        foreach (var secret in (string[])["s3cret", "DOE", "1.2.3.4.5", _east.Port.ToString(), _west.Port.ToString()])
            Assert.DoesNotContain(secret, run.Output);
    }

    [Fact]
    public async Task SaysInOneLineThatNoProxyAnswers()
    {
        foreach (var command in (string[][])[["studies"], ["cache", "stats"], ["doctor"], ["prefetch", "1.2.1"], ["backends", "test"]])
        {
            var run = await CommandRun.RunAsync([.. command, "--url", "http://127.0.0.1:1"]);

            Assert.Equal(ExitCode.Failed, run.Code);
            Assert.StartsWith("No proxy answers at http://127.0.0.1:1 (nothing listens there)", run.Error, StringComparison.Ordinal);
            Assert.Single(run.Error.Trim().Split('\n'));
        }
    }

    [Fact]
    public async Task SaysThatTheAddressIsAnotherProgram()
    {
        using var other = new WireMockPacs();
        other.Respond(PacsAnswer.Text(200, "text/html", "<html>"));

        var run = await CommandRun.RunAsync("studies", "--url", $"http://127.0.0.1:{other.Port}");

        Assert.Equal(ExitCode.Failed, run.Code);
        Assert.Contains("not like this proxy", run.Error);
    }

    [Theory]
    [InlineData("prefetch")]
    [InlineData("prefetch", "CT")]
    [InlineData("cache", "purge", "everything")]
    [InlineData("completion", "fish")]
    public async Task RefusesWrongArguments(params string[] args) => Assert.Equal(ExitCode.Usage, (await RunAsync(args)).Code);

    [Theory]
    [InlineData("bash", "complete -F")]
    [InlineData("zsh", "compdef")]
    public async Task PrintsACompletionScript(string shell, string text) =>
        Assert.Contains(text, (await RunAsync("completion", shell)).Output);

    private Task<CommandRun> RunAsync(params string[] args) => CommandRun.RunAsync([.. args, "--url", _proxy.Address]);
}
