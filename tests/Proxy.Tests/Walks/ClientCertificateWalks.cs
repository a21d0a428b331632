using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A PACS gets the client certificate of its own backend, and is trusted if the configured authority vouches for it.</summary>
public sealed class ClientCertificateWalks : IDisposable
{
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly TestAuthority _authority = new();

    public void Dispose() => _authority.Dispose();

    [Fact]
    public async Task SendsTheCertificate_OnlyToItsBackend()
    {
        await using var east = await MutualTlsPacs.StartAsync(_authority.Issue("CN=east"));
        await using var west = await MutualTlsPacs.StartAsync(_authority.Issue("CN=west"));
        await using var proxy = Start(east, ("west", west.Address));
        proxy["Backends:west:Tls:CaFile"] = Write(proxy, "hospital.pem", _authority.Pem);

        Assert.Equal(200, (int)(await proxy.GetAsync("/dicomweb/studies")).Status);

        Assert.Equal("CN=proxy", east.Subjects[0]);
        Assert.Equal("", west.Subjects[0]);
    }

    [Fact]
    public async Task UsesAReplacedCertificate_AndKeepsItWhileTheFilesAreNoPair()
    {
        await using var east = await MutualTlsPacs.StartAsync(_authority.Issue("CN=east"));
        await using var proxy = Start(east);

        await proxy.GetAsync("/dicomweb/studies?PatientID=1");
        WritePair(proxy, _authority.Issue("CN=renewed"));
        _time.Advance(TimeSpan.FromSeconds(6));
        await proxy.GetAsync("/dicomweb/studies?PatientID=2");
        Write(proxy, "proxy.key", _authority.Issue("CN=other").Key);
        _time.Advance(TimeSpan.FromSeconds(6));
        await proxy.GetAsync("/dicomweb/studies?PatientID=3");

        Assert.Equal("CN=proxy", east.Subjects[0]);
        Assert.Equal("CN=renewed", east.Subjects[^1]);
        Assert.Contains(proxy.Log.All, l => l.Contains("keeps its client certificate, its new files", StringComparison.Ordinal));
    }

    [Fact]
    public async Task RefusesThePacs_WhenAnotherAuthorityVouchesForIt()
    {
        using var other = new TestAuthority("CN=other");
        await using var east = await MutualTlsPacs.StartAsync(other.Issue("CN=east"));
        await using var proxy = Start(east);

        (await proxy.GetAsync("/dicomweb/studies")).IsProblem(503, "certificate not trusted");
        Assert.Empty(east.Subjects);
    }

    private ProxyHost Start(MutualTlsPacs east, params IEnumerable<(string, string)> others)
    {
        var proxy = new ProxyHost([("east", east.Address), .. others]) { Time = _time };
        WritePair(proxy, _authority.Issue("CN=proxy"));
        proxy["Backends:east:Tls:CaFile"] = Write(proxy, "hospital.pem", _authority.Pem);
        proxy["Backends:east:Authentication:Scheme"] = "ClientCertificate";
        proxy["Backends:east:Authentication:Certificate"] = Path.Combine(proxy.Root, "proxy.pem");
        proxy["Backends:east:Authentication:Key"] = Path.Combine(proxy.Root, "proxy.key");
        return proxy;
    }

    private static void WritePair(ProxyHost proxy, (string Certificate, string Key) pair)
    {
        Write(proxy, "proxy.pem", pair.Certificate);
        Write(proxy, "proxy.key", pair.Key);
    }

    private static string Write(ProxyHost proxy, string name, string text)
    {
        var path = Path.Combine(proxy.Root, name);
        File.WriteAllText(path, text);
        return path;
    }
}
