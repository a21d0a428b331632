using Microsoft.Extensions.Configuration;
using Xunit;

namespace Proxy.Tests;

public class SettingsTests
{
    [Fact]
    public void AcceptsSettingsWithOneBackend()
    {
        var settings = Read(out var errors, ("Backends:east:Address", "http://127.0.0.1:8042/dicom-web"));
        Assert.Empty(errors);
        Assert.Equal("east", Assert.Single(settings.Backends).Name);
    }

    [Fact]
    public void ReportsEveryErrorOfEveryFeatureAtOnce()
    {
        Read(
            out var errors, ("Backends:east:Address", "nowhere"), ("Search:MaxResults", "many"), ("Search:Limit", "1"),
            ("Cache:Memory:MaxBytes", "-1"), ("Cache:Metadata:Freshness", "60"),
            ("Security:KnownProxies:0", "proxy"), ("Security:AllowedOrigins:0", "viewer"), ("Security:AllowedHosts:0", "http://pacs"),
            ("Security:Authentication", "Magic"), ("urls", "http://0.0.0.0:8080"));
        Assert.Equal(
            ["Backends:east:Address", "Cache:Memory:MaxBytes", "Cache:Metadata:Freshness", "Search:Limit", "Search:MaxResults",
            "Security:AllowedHosts", "Security:AllowedOrigins", "Security:Authentication", "Security:KnownProxies", "urls"],
            errors.Select(e => e.Split(" = ")[0]).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("Store:Backend", "north", "one of east, west")]
    [InlineData("Store:MaxBytes", "0", "from 1")]
    [InlineData("Store:Target", "east", "allowed are Backend, MaxBytes")]
    public void ReportsAWrongStore(string key, string value, string rule)
    {
        Read(out var errors, ("Backends:east:Address", "http://a"), ("Backends:west:Address", "http://b"), (key, value));
        Assert.StartsWith($"{key} = \"{value}\"", Assert.Single(errors), StringComparison.Ordinal);
        Assert.Contains(rule, errors[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Viewer:Path", "/nowhere/ohif", "viewer install --path")]
    [InlineData("Viewer:Folder", "/", "allowed are Path")]
    public void ReportsAWrongViewer(string key, string value, string rule)
    {
        Read(out var errors, ("Backends:east:Address", "http://a"), (key, value));
        Assert.StartsWith($"{key} = \"{value}\"", Assert.Single(errors), StringComparison.Ordinal);
        Assert.Contains(rule, errors[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Retrieve:Transcode", "Jpeg2000", "one of None, JpegLs, Htj2k")]
    [InlineData("Retrieve:Transcode", "1", "one of None, JpegLs, Htj2k")]
    [InlineData("Retrieve:Transcoding", "JpegLs", "allowed are AllowPartial, Rendering, Transcode, TranscodeNetworks")]
    public void ReportsAWrongTranscoding(string key, string value, string rule)
    {
        Read(out var errors, ("Backends:east:Address", "http://a"), (key, value));
        Assert.StartsWith($"{key} = \"{value}\"", Assert.Single(errors), StringComparison.Ordinal);
        Assert.Contains(rule, errors[0], StringComparison.Ordinal);
    }

    [Fact]
    public void ReportsAWrongNetwork()
    {
        Read(out var errors, ("Backends:east:Address", "http://a"), ("Retrieve:TranscodeNetworks:0", "ward"));
        Assert.Equal(
            ["Retrieve:TranscodeNetworks = \"ward\": addresses or networks such as 10.0.0.7 or 10.0.0.0/24"], errors);
    }

    [Theory]
    [InlineData("10.1.2.3", true)]
    [InlineData("::ffff:10.1.2.3", true)]
    [InlineData("192.168.0.7", true)]
    [InlineData("192.168.0.8", false)]
    [InlineData("fd00::1", false)]
    public void TranscodesForTheClientsOfItsNetworks(string client, bool transcodes)
    {
        var settings = Read(
            out _, ("Backends:east:Address", "http://a"), ("Retrieve:Transcode", "jpegls"),
            ("Retrieve:TranscodeNetworks:0", "10.0.0.0/8"), ("Retrieve:TranscodeNetworks:1", "192.168.0.7"));
        Assert.Equal(transcodes, settings.Retrieve.FindTranscoded(System.Net.IPAddress.Parse(client)) is not null);
    }

    [Fact]
    public void ReadsTheStore()
    {
        var settings = Read(out _, ("Backends:east:Address", "http://a"), ("Store:Backend", "East"));
        Assert.Equal(new("East", 4294967296), settings.Store);
    }

    [Theory]
    [InlineData("127.0.0.1:8080", "such as http://127.0.0.1:8080")]
    [InlineData("nonsense", "such as http://127.0.0.1:8080")]
    [InlineData("ftp://127.0.0.1:8080", "http or https")]
    [InlineData("http://127.0.0.1:abc", "from 0 to 65535")]
    [InlineData("http://127.0.0.1:80801", "from 0 to 65535")]
    public void ReportsAMalformedAddress(string url, string rule)
    {
        Read(out var errors, ("Backends:east:Address", "http://pacs"), ("urls", "http://[::1]:8081;" + url));
        Assert.StartsWith($"urls = \"{url}\": ", Assert.Single(errors), StringComparison.Ordinal);
        Assert.Contains(rule, errors[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://127.0.0.1:8080", true)]
    [InlineData("http://localhost:8080;http://[::1]:8080", true)]
    [InlineData("http://*:8080", false)]
    [InlineData("http://127.0.0.1:8080;http://10.0.0.7:8080", false)]
    [InlineData("http://pacs.example:8080", false)]
    public void RefusesToListenBeyondLoopback_UnlessAnonymousAccessIsAllowed(string urls, bool isAccepted)
    {
        Read(out var errors, ("Backends:east:Address", "http://pacs"), ("urls", urls));
        Assert.Equal(isAccepted, errors.Count == 0);
        Read(out var allowed, ("Backends:east:Address", "http://pacs"), ("urls", urls), ("Security:AllowAnonymous", "true"));
        Assert.Empty(allowed);
    }

    [Theory]
    [InlineData("Backend:west:Address", "did you mean Backends?")]
    [InlineData("Serach:Deadline", "did you mean Search?")]
    public void ReportsASectionWhoseNameResemblesAKnownOne(string key, string expected)
    {
        Read(out var errors, ("Backends:east:Address", "http://pacs"), (key, "1"));
        Assert.Contains(expected, Assert.Single(errors));
    }

    [Fact]
    public void ReportsAnUnknownSectionOfAFile()
    {
        using var file = new MemoryStream("""{"Backends":{"east":{"Address":"http://pacs"}},"Something":{"Else":1}}"""u8.ToArray());
        Settings.Read(new ConfigurationBuilder().AddJsonStream(file).Build(), out var errors);
        Assert.StartsWith("Something: not a section of the settings; allowed are Backends, Search", Assert.Single(errors));
    }

    [Fact]
    public void IgnoresSectionsOfOtherPrograms()
    {
        Read(out var errors, ("Backends:east:Address", "http://pacs"), ("OTHER_PROGRAM:SETTING", "1"));
        Assert.Empty(errors);
    }

    private static Settings Read(out IReadOnlyList<string> errors, params (string Key, string Value)[] settings) =>
        Settings.Read(
            new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(s => s.Key, string? (s) => s.Value)).Build(),
            out errors);
}
