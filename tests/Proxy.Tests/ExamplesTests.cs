using Microsoft.Extensions.Configuration;
using Proxy.Events;
using Xunit;

namespace Proxy.Tests;

/// <summary>The example settings are valid, and documents, page and code agree on settings and events.</summary>
public sealed class ExamplesTests
{
    private static readonly string Root = FindRoot();

    [Fact]
    public void EveryExampleIsValid_WhenCopiedToConfig()
    {
        var files = Directory.GetFiles(Path.Combine(Root, "config", "examples"), "*.json");
        Assert.NotEmpty(files);
        var configuration = new ConfigurationBuilder();
        foreach (var file in files) configuration.AddJsonFile(file);

        var settings = Settings.Read(configuration.Build(), out var errors);

        Assert.Empty(errors);
        Assert.Equal(["archive", "east", "west"], settings.Backends.Select(b => b.Name).Order());
        Assert.Equal(4L << 30, settings.Cache.MemoryMaxBytes);
        Assert.True(Assert.Single(settings.Prefetch.Rules).IsActive(new(3, 0)));
        Assert.Equal("https://viewer.example", Assert.Single(settings.Security.AllowedOrigins));
    }

    [Theory]
    [InlineData("orthanc", "orthanc", "Authorization")]
    [InlineData("dcm4chee", "dcm4chee", null)]
    [InlineData("google", "google", null)]
    [InlineData("azure", "azure", "Authorization")]
    [InlineData("aws", "gateway", "x-api-key")]
    [InlineData("aws", "healthimaging", "Authorization")]
    public void TheExampleOfAPacsIsValid(string file, string backend, string? header)
    {
        var path = Path.Combine(Root, "config", "examples", "pacs", file + ".json");

        var settings = Settings.Read(new ConfigurationBuilder().AddJsonFile(path).Build(), out var errors);

        Assert.Empty(errors);
        Assert.Equal(header, settings.Backends.Single(b => b.Name == backend).Credential?.Header);
        // A cloud whose tokens the proxy cannot request is reached through a relay, and the example says so.
        if (settings.Backends.Any(b => b.Address.IsLoopback)) Assert.Contains("relay on the same machine", File.ReadAllText(path));
    }

    /// <summary>Every file in the folder is one of the examples above.</summary>
    [Fact]
    public void EveryPacsHasATest() => Assert.Equal(
        ["aws", "azure", "dcm4chee", "google", "orthanc"],
        Directory.GetFiles(Path.Combine(Root, "config", "examples", "pacs")).Select(Path.GetFileNameWithoutExtension).Order());

    [Fact]
    public void ShippedSettingsContainNoBackend()
    {
        var configuration = new ConfigurationBuilder().AddJsonFile(Path.Combine(Root, "appsettings.json")).Build();

        Settings.Read(configuration, out var errors);

        Assert.StartsWith("Backends = (not set)", Assert.Single(errors), StringComparison.Ordinal);
    }

    /// <summary>It holds the schema for editors, which is no settings file.</summary>
    [Fact]
    public void TheShippedFolderContainsNoSettings()
    {
        using var configuration = new ConfigurationManager();

        Settings.AddFiles(configuration, Root);

        Assert.Empty(configuration.AsEnumerable());
    }

    [Fact]
    public void EverySettingInTheReferenceIsRead()
    {
        var readme = File.ReadAllText(Path.Combine(Root, "docs", "settings.md"));
        var sources = string.Concat(
            Directory.GetFiles(Path.Combine(Root, "src"), "*Options.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        var names = System.Text.RegularExpressions.Regex.Matches(
            readme, @"^\| `(?:Backends:\{name\}|Search|Store|Cache|Prefetch|Security):([A-Za-z:]+)`",
            System.Text.RegularExpressions.RegexOptions.Multiline);
        Assert.True(names.Count > 10);
        foreach (System.Text.RegularExpressions.Match name in names)
            Assert.Contains(name.Groups[1].Value.Split(':')[^1] + "\"", sources, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("config/events.html")]
    [InlineData("src/Proxy/Admin/Page/live.js")]
    [InlineData("docs/reference/events.md")]
    public void EveryEventIsHandledOrDocumented(string file)
    {
        var text = File.ReadAllText(Path.Combine(Root, file));
        foreach (var name in ProxyEvent.Names.Append(ProxyEvent.Gap)) Assert.Matches($"['`]{name}['`]", text);
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Proxy.sln"))) folder = Path.GetDirectoryName(folder)!;
        return folder;
    }
}
