using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Proxy.Operations;
using Proxy.Security;
using Xunit;

namespace Proxy.Tests.Security;

public class KnownHostsTests
{
    [Theory]
    [InlineData("http://127.0.0.1:8080", "127.0.0.1:8080 127.0.0.2 localhost LOCALHOST:9 [::1]:8080", "evil.example 10.0.0.7 0.0.0.0")]
    [InlineData("http://127.0.0.3:8080", "127.0.0.1:8080", "localhost.evil.example 127.0.0.1.evil.example evil.localhost")]
    [InlineData("http://localhost:8080", "127.0.0.1 localhost [::1]", "evil.example 10.0.0.7")]
    [InlineData("http://[::1]:8080", "[::1] localhost", "evil.example [fe80::1]")]
    [InlineData("http://10.0.0.7:8080", "10.0.0.7 10.0.0.7:80", "evil.example localhost 127.0.0.1 10.0.0.8")]
    [InlineData("http://0.0.0.0:8080", "10.0.0.7 127.0.0.1 localhost [fe80::1]:8080", "evil.example")]
    [InlineData("http://[::]:8080", "10.0.0.7 [2001:db8::1]", "evil.example")]
    [InlineData("http://*:8080", "10.0.0.7 localhost", "evil.example")]
    [InlineData("http://+:8080", "10.0.0.7 localhost", "evil.example")]
    [InlineData("http://pacs.example:8080", "pacs.example:8080 PACS.example 10.0.0.7", "evil.example a.pacs.example")]
    [InlineData("http://127.0.0.1:1;http://pacs.example:2", "localhost pacs.example", "evil.example")]
    [InlineData("http://unix:/run/proxy.sock", "localhost", "evil.example")]
    public void KnowsTheHostsOfTheListeners(string urls, string known, string unknown) => Check(Create(urls), known, unknown);

    [Fact]
    public void KnowsTheConfiguredHosts()
    {
        var hosts = Create("http://127.0.0.1:8080", "pacs.example", "*.site.example", "10.0.0.7", "[2001:db8::1]");

        Check(
            hosts, "pacs.example a.site.example a.b.SITE.example 10.0.0.7:1 [2001:db8::1]:2 localhost",
            "site.example .site.example a.pacs.example evilsite.example 10.0.0.8");
    }

    [Fact]
    public void KnowsARequestWithoutAHost() => Assert.True(Create("http://127.0.0.1:8080").Knows(default));

    [Fact]
    public void KnowsTheNameOfTheMachine_WhenListeningOnEveryAddress()
    {
        var own = new HostString(Environment.MachineName, 8080);

        Assert.True(Create("http://0.0.0.0:8080").Knows(own));
        Assert.Equal("localhost".Equals(own.Host, StringComparison.OrdinalIgnoreCase), Create("http://127.0.0.1:8080").Knows(own));
    }

    [Fact]
    public void KnowsLoopback_WhenNoAddressIsSet() => Check(Create(null), "localhost 127.0.0.1:8080", "evil.example");

    [Fact]
    public void AppliesChangedSettingsAtOnce()
    {
        var options = new Reloadable<SecurityOptions>(Options("pacs.example"));
        var hosts = new KnownHosts(new ConfigurationBuilder().Build(), options);
        Assert.True(hosts.Knows(new("pacs.example")));

        options.Replace(Options("other.example"));

        Assert.False(hosts.Knows(new("pacs.example")));
        Assert.True(hosts.Knows(new("other.example")));
    }

    private static void Check(KnownHosts hosts, string known, string unknown)
    {
        foreach (var host in known.Split(' ')) Assert.True(hosts.Knows(new(host)), host);
        foreach (var host in unknown.Split(' ')) Assert.False(hosts.Knows(new(host)), host);
    }

    private static KnownHosts Create(string? urls, params string[] allowed)
    {
        var configuration = new ConfigurationBuilder();
        if (urls is not null) configuration.AddInMemoryCollection([new("urls", urls)]);
        return new(configuration.Build(), new(Options(allowed)));
    }

    private static SecurityOptions Options(params string[] allowed)
    {
        var values = allowed.Select((host, i) => KeyValuePair.Create($"Security:AllowedHosts:{i}", (string?)host));
        var settings = new SettingsReader(new ConfigurationBuilder().AddInMemoryCollection(values).Build());
        var options = SecurityOptions.Read(settings);
        Assert.Empty(settings.Errors);
        return options;
    }
}
