using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Operations;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests;

public sealed class SettingsReloadTests : IDisposable
{
    private readonly IConfigurationRoot _configuration = new ConfigurationBuilder().AddInMemoryCollection(
        new Dictionary<string, string?>
        {
            ["Backends:east:Address"] = "http://east",
            ["Backends:west:Address"] = "http://west",
            ["Cache:MaxBodyBytes"] = "2000000",
        }).Build();

    private readonly LogLines _log = new();
    private readonly ServiceCollection _services = new();
    private readonly List<string> _heard = [];
    private ServiceProvider? _provider;

    public void Dispose()
    {
        _provider?.Dispose();
        _log.Dispose();
    }

    [Fact]
    public async Task AppliesTwoReloadsAtOnceOneAfterTheOther()
    {
        using var entered = new SemaphoreSlim(0);
        using var leave = new SemaphoreSlim(0);
        var (inside, most) = (0, 0);
        _services.OnReload<CacheOptions, BackendSet>((_, now) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref inside));
            entered.Release();
            leave.Wait();
            lock (_heard) _heard.Add($"{now.MaxBodyBytes}");
            Interlocked.Decrement(ref inside);
        });
        var settings = Start();

        var first = ReloadAsync("3000000");
        await entered.WaitAsync(TestContext.Current.CancellationToken);
        var second = ReloadAsync("4000000");
        Assert.Equal(0, entered.CurrentCount);
        leave.Release(2);
        await Task.WhenAll(first, second);

        Assert.Equal(1, most);
        Assert.Equal(["3000000", "4000000"], _heard);
        Assert.Equal(4_000_000, settings.GetRequiredService<Reloadable<CacheOptions>>().Value.MaxBodyBytes);
        Assert.Equal(2, _log.All.Count(l => l.Contains("Settings reloaded", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task ReplacesBackendsFirst_ThenAllOptions_ThenTellsTheServices()
    {
        _services.OnReload<CacheOptions, BackendSet>(
            (backends, now) => _heard.Add($"cache {now.MaxBodyBytes}, {backends.Find("west")!.Address}"));
        _services.OnReload<BackendSet, BackendSet>((backends, _) => _heard.Add($"backends {backends.Find("west")!.Address}"));
        _services.OnReload<RemovedBackend, Reloadable<CacheOptions>>(
            (cache, removed) => _heard.Add($"removed {removed.Name}, {cache.Value.MaxBodyBytes}"));
        _services.OnReload<RemovedBackend, BackendSet>((_, removed) => _heard.Add($"then {removed.Name}"));
        Start();
        _configuration["Backends:west:Address"] = "http://other";

        await ReloadAsync("3000000");

        Assert.Equal(["backends http://other/", "removed west, 2000000", "then west", "cache 3000000, http://other/"], _heard);
    }

    [Fact]
    public async Task TellsNoService_WhenOneSettingIsInvalid()
    {
        _services.OnReload<CacheOptions, BackendSet>((_, _) => _heard.Add("cache"));
        _services.OnReload<BackendSet, BackendSet>((_, _) => _heard.Add("backends"));
        var settings = Start();
        _configuration["Search:MaxResults"] = "many";

        await ReloadAsync("3000000");

        Assert.Empty(_heard);
        Assert.Equal(2_000_000, settings.GetRequiredService<Reloadable<CacheOptions>>().Value.MaxBodyBytes);
        Assert.Contains("Search:MaxResults = \"many\"", Assert.Single(_log.All));
    }

    [Theory]
    [InlineData("10.1.2.3:8042/dicom-web")]
    [InlineData("http://user:word\": @pacs.lan/x?key=1")]
    public async Task HidesAnAddress_InTheErrorOfAReload(string address)
    {
        Start();
        _configuration["Backends:west:Address"] = address;

        await ReloadAsync("3000000");

        var line = Assert.Single(_log.All);
        Assert.Contains("Backends:west:Address = (hidden): ", line);
        Assert.DoesNotContain("10.1.2.3", line);
        Assert.DoesNotContain("pacs.lan", line);
    }

    private ServiceProvider Start()
    {
        _services.AddSettings(Settings.Read(_configuration, out _));
        _services.AddLogging(logging => logging.AddProvider(_log));
        _provider = _services.BuildServiceProvider();
        new SettingsReload(_provider, _configuration, _provider.GetRequiredService<ILogger<Settings>>()).Follow();
        return _provider;
    }

    private Task ReloadAsync(string maxBodyBytes) => Task.Run(() =>
    {
        _configuration["Cache:MaxBodyBytes"] = maxBodyBytes;
        _configuration.Reload();
    });
}
