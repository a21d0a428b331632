using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Settings that change while the proxy runs.</summary>
public sealed class ReloadWalks : IAsyncDisposable
{
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly WireMockPacs _west = new(new HeldStudy("1.2.2").With("1.2.2.1"));

    private readonly ProxyHost _proxy = new() { ["Search:Freshness"] = "00:00:00" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task AddsAndRemovesBackends()
    {
        Write(("east", _east.Address, ""));
        Assert.Equal(["1.2.1"], await StudiesAsync());

        Write(("east", _east.Address, ""), ("west", _west.Address, ""));
        await ShowsAsync("1.2.1", "1.2.2");
        Assert.Equal(["1.2.2"], (await _proxy.GetAsync("/backends/west/dicomweb/studies")).Values("0020000D"));

        Write(("west", _west.Address, ""));
        await ShowsAsync("1.2.2");
        (await _proxy.GetAsync("/backends/east/dicomweb/studies")).IsProblem(404);
        (await _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata")).IsProblem(404);
    }

    [Fact]
    public async Task ForgetsTheAnswersOfABackend_WhenItIsRemoved()
    {
        const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";
        Write(("east", _east.Address, ""), ("west", _west.Address, ""));
        await StudiesAsync();
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
        Assert.Equal(2, (await _proxy.GetAsync("/store/studies")).Rows.Count);

        Write(("west", _west.Address, ""));
        await ShowsAsync("1.2.2");
        await Until.TrueAsync(
            async () => (await _proxy.GetAsync("/store/studies")).Rows is [var only] && (string)only!["StudyInstanceUID"]! == "1.2.2",
            "the east's study is removed");
        (await _proxy.GetAsync(Frame)).IsProblem(404);

        // The same name now means another PACS: the proxy must show nothing of the old one.
        _east.Archive.Drop("1.2.1");
        Write(("east", _east.Address, ""), ("west", _west.Address, ""));
        await Until.TrueAsync(async () => (int)(await _proxy.GetAsync("/backends/east/dicomweb/studies")).Status == 200, "east is back");
        (await _proxy.GetAsync(Frame)).IsProblem(404);
    }

    [Fact]
    public async Task AppliesANewAddress()
    {
        Write(("east", _east.Address, ""));
        Assert.Equal(["1.2.1"], await StudiesAsync());

        Write(("east", _west.Address, ""));
        await ShowsAsync("1.2.2");
    }

    [Fact]
    public async Task KeepsTheOldSettingsAndLogsTheReason_WhenAnEditIsInvalid()
    {
        Write(("east", _east.Address, ""), ("west", _west.Address, ""));
        Assert.Equal(2, (await StudiesAsync()).Count);

        // One setting is wrong: the proxy applies neither the valid address beside it nor the removal of a backend.
        Write(("east", PartialFailureWalks.DeadAddress(), "soon"));
        await Until.TrueAsync(
            () => _proxy.Log.All.Any(l => l.Contains("Backends:east:Timeout", StringComparison.Ordinal)), "the edit is refused");
        Assert.Equal(["1.2.1", "1.2.2"], await StudiesAsync());

        Write();
        await Until.TrueAsync(
            () => _proxy.Log.All.Any(l => l.Contains("no PACS is configured", StringComparison.Ordinal)), "the edit is refused");
        Assert.Equal(["1.2.1", "1.2.2"], await StudiesAsync());

        Write(("west", _west.Address, ""));
        await ShowsAsync("1.2.2");
    }

    [Fact]
    public async Task KeepsRunning_WhenAFileIsNotJson()
    {
        Write(("east", _east.Address, ""));
        Assert.Equal(["1.2.1"], await StudiesAsync());

        await File.WriteAllTextAsync(FileName, "{ \"Backends\": { \"east\"", TestContext.Current.CancellationToken);
        Write(("west", _west.Address, ""));

        await ShowsAsync("1.2.2");
    }

    [Fact]
    public async Task LogsThePosition_WhenAFileIsBroken()
    {
        Write(("east", _east.Address, ""));
        await WriteSettingsAsync("cache.json", """{ "Cache": { "Memory": { "MaxBytes": 2000000 } } }""");
        Assert.Equal(["1.2.1"], await StudiesAsync());

        await WriteSettingsAsync("backends.json", "{ \"Backends\": {\n \"s3cret\" ");
        await LogsAsync(
            "Error Proxy.Settings: Changed settings are invalid; the previous settings stay in effect: "
            + "backends.json: not JSON at line 2, character ");
        // A change of another file must not discard the error of the broken one.
        await WriteSettingsAsync("cache.json", """{ "Cache": { "Memory": { "MaxBytes": 3000000 } } }""");
        await Until.TrueAsync(() => Lines("backends.json: not JSON") >= 2, "the change of the other file is refused, too");
        Assert.Equal(["1.2.1"], await StudiesAsync());
        Assert.DoesNotContain(_proxy.Log.All, l => l.Contains("s3cret", StringComparison.Ordinal));

        Write(("west", _west.Address, ""));
        await ShowsAsync("1.2.2");
        await LogsAsync("changed: Backends:east:Address, Backends:west:Address, Cache:Memory:MaxBytes");
    }

    [Fact]
    public async Task LogsTheAppliedSettings_IncludingALogLevel()
    {
        Write(("east", _east.Address, ""));
        await WriteSettingsAsync("log.json", """{ "Logging": { "LogLevel": { "Default": "Information" } } }""");
        Assert.Equal(["1.2.1"], await StudiesAsync());

        await WriteSettingsAsync("log.json", """{ "Logging": { "LogLevel": { "Default": "Error" } } }""");
        await LogsAsync("Information Proxy.Settings: Settings reloaded: backends east; changed: Logging:LogLevel:Default");

        Write(("east", _east.Address, ""), ("west", _west.Address, ""));
        await LogsAsync("Information Proxy.Settings: Settings reloaded: backends east, west; changed: Backends:west:Address");
    }

    [Fact]
    public async Task Warns_WhenASettingNeedsARestart()
    {
        Write(("east", _east.Address, ""));
        await WriteSettingsAsync("security.json", "{}");
        await StudiesAsync();

        await WriteSettingsAsync("security.json", """{ "Security": { "KnownProxies": [ "10.0.0.1" ] } }""");

        await LogsAsync("Warning Proxy.Settings: These changed settings take effect after a restart: Security:KnownProxies:0");
    }

    [Fact]
    public async Task AppliesAChangedHostListAtOnce()
    {
        Write(("east", _east.Address, ""));
        await WriteSettingsAsync("security.json", "{}");
        (await _proxy.GetAsync("/dicomweb/studies", ("Host", "pacs.example"))).IsProblem(421);

        await WriteSettingsAsync("security.json", """{ "Security": { "AllowedHosts": [ "pacs.example" ] } }""");

        await Until.TrueAsync(
            async () => (int)(await _proxy.GetAsync("/dicomweb/studies", ("Host", "pacs.example"))).Status == 200, "the name is known");
    }

    private Task LogsAsync(string text) => Until.TrueAsync(() => Lines(text) > 0, $"the log says {text}");

    private int Lines(string text) => _proxy.Log.All.Count(l => l.Contains(text, StringComparison.Ordinal));

    private async Task WriteSettingsAsync(string name, string json)
    {
        var file = Path.Combine(_proxy.Root, "config", name);
        await File.WriteAllTextAsync(file + ".new", json, TestContext.Current.CancellationToken);
        File.Move(file + ".new", file, overwrite: true);
    }

    private string FileName => Path.Combine(_proxy.Root, "config", "backends.json");

    private void Write(params (string Name, string Address, string Timeout)[] backends)
    {
        var json = new JsonObject();
        foreach (var (name, address, timeout) in backends)
        {
            json[name] = new JsonObject { ["Address"] = address };
            if (timeout.Length > 0) json[name]!["Timeout"] = timeout;
        }
        Directory.CreateDirectory(Path.GetDirectoryName(FileName)!);
        File.WriteAllText(FileName + ".new", new JsonObject { ["Backends"] = json }.ToJsonString());
        File.Move(FileName + ".new", FileName, overwrite: true);
    }

    private async Task<IReadOnlyList<string?>> StudiesAsync() => [.. (await _proxy.GetAsync("/dicomweb/studies")).Values("0020000D")];

    private Task ShowsAsync(params string[] studies) => Until.TrueAsync(
        async () =>
        {
            var reply = await _proxy.GetAsync("/dicomweb/studies");
            return (int)reply.Status == 200 && reply.Warnings.Count == 0 && reply.Values("0020000D").SequenceEqual(studies);
        },
        $"the studies are {string.Join(", ", studies)}");
}
