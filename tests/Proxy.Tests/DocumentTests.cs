using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Proxy.Tests.Cli;
using Proxy.Tests.Pacs;
using Proxy.Tests.Rules;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests;

/// <summary>The documents are true: links lead somewhere, settings are valid, and commands work.</summary>
public sealed partial class DocumentTests
{
    /// <summary>Programs whose commands are not run here: they need an engine, a cluster, root, or a release.</summary>
    private static readonly string[] NotRun =
    [
        "docker", "helm", "systemctl", "install", "cp", "cosign", "sha256sum", "dotnet", "~/.local/proxy/proxy", "REQUIRE_REAL=1",
        "openssl",
        ".ci/run",
    ];

    public static TheoryData<string> Documents => [.. SourceTree.EnumerateDocuments()];

    [Theory]
    [MemberData(nameof(Documents))]
    public void EveryLinkLeadsToAFileAndAHeading(string document)
    {
        var text = File.ReadAllText(SourceTree.GetPath(document));
        foreach (Match link in Link().Matches(text))
        {
            var (file, heading) = (link.Groups["file"].Value, link.Groups["heading"].Value);
            var path = file.Length == 0 ? document : Path.Combine(Path.GetDirectoryName(document)!, file);
            Assert.True(Path.Exists(SourceTree.GetPath(path)), $"{document}: {link.Value}");
            if (heading.Length == 0) continue;
            Assert.Contains(heading, Heading().Matches(File.ReadAllText(SourceTree.GetPath(path))).Select(h => Slug(h.Groups[1].Value)));
        }
    }

    /// <summary>A block of JSON is a settings file. Where it names no PACS, one is added.</summary>
    [Theory]
    [MemberData(nameof(Documents))]
    public void EveryBlockOfSettingsIsValid(string document)
    {
        foreach (Match block in Json().Matches(File.ReadAllText(SourceTree.GetPath(document))))
        {
            var configuration = new ConfigurationBuilder()
                .AddInMemoryCollection([new("Backends:east:Address", "http://127.0.0.1/dicom-web")])
                .AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(block.Groups[1].Value))).Build();

            Settings.Read(configuration, out var errors);

            Assert.Empty(errors);
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task EveryCommandWorks(string document)
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.3").With("1.2.3.1"));
        await using var proxy = new ProxyHost(("east", east.Address));
        foreach (var line in ReadCommands(document))
        {
            var variable = Variable().Match(line);
            if (variable.Success) AssertValid([$"--{variable.Groups[1].Value.Replace("__", ":", StringComparison.Ordinal)}"]);
            else if (line.StartsWith("dotnet run --project src/Proxy", StringComparison.Ordinal)) await CheckProgramAsync(line);
            else if (line.StartsWith("curl ", StringComparison.Ordinal)) await CheckRequestAsync(proxy, line);
            else Assert.Contains(line.Split(' ')[0], NotRun);
            foreach (Match file in RepositoryFile().Matches(line)) Assert.True(Path.Exists(SourceTree.GetPath(file.Value)), line);
        }
    }

    [Fact]
    public async Task TheReferenceNamesEveryCommand()
    {
        var help = (await CommandRun.RunAsync("--help")).Output;
        var reference = File.ReadAllText(SourceTree.GetPath("docs/reference/commands.md"));
        var list = help[help.IndexOf("Commands:", StringComparison.Ordinal)..];
        var commands = CommandName().Matches(list).Select(m => m.Groups[1].Value).ToList();

        Assert.Contains("check", commands);
        Assert.All(commands, command => Assert.Matches($"`{command}[` ]", reference));
    }

    /// <summary>The lines of the shell blocks, with continued lines joined and comments removed.</summary>
    private static IEnumerable<string> ReadCommands(string document) =>
        from Match block in Shell().Matches(File.ReadAllText(SourceTree.GetPath(document)))
        from line in block.Groups[1].Value.Replace("\\\n", "", StringComparison.Ordinal).Split('\n')
        let command = Comment().Replace(line, "").Trim()
        where command.Length > 0
        select command;

    /// <summary>A command is parsed by asking for its help; the settings of a server are validated.</summary>
    private static async Task CheckProgramAsync(string line)
    {
        var args = line.Split(" -- ").Skip(1).SelectMany(a => a.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        if (Proxy.Cli.CommandLine.IsCommand(args))
        {
            var run = await CommandRun.RunAsync([.. args, "--help"]);
            Assert.True(run.Code == 0, line + run.Error);
            return;
        }
        // A viewer that the line before installs does not exist here.
        var settings = Proxy.Cli.CommandLine.ReadServe(args).Settings.Where(a => !a.Contains("Viewer:Path", StringComparison.Ordinal));
        AssertValid([.. settings]);
    }

    private static void AssertValid(string[] settings)
    {
        Settings.Read(
            new ConfigurationBuilder().AddInMemoryCollection([new("Backends:demo:Address", "http://127.0.0.1/dicom-web")])
                .AddCommandLine(settings).Build(),
            out var errors);
        Assert.Empty(errors);
    }

    private static async Task CheckRequestAsync(ProxyHost proxy, string line)
    {
        var path = Url().Match(line).Groups[1].Value;
        var method = line.Contains("-X DELETE", StringComparison.Ordinal) ? HttpMethod.Delete : HttpMethod.Get;
        if (path.StartsWith("/events", StringComparison.Ordinal))
        {
            using var stream = await proxy.OpenAsync(path);
            Assert.True(stream.IsSuccessStatusCode, line);
            return;
        }
        Assert.InRange((int)(await proxy.SendAsync(method, path, [])).Status, 200, 299);
    }

    private static string Slug(string heading) =>
        NoSlug().Replace(heading.Trim().ToLowerInvariant(), "").Replace(' ', '-');

    [GeneratedRegex(@"\]\((?!https?:)(?<file>[^)#]*)(#(?<heading>[^)]*))?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\p{L}\p{N} _-]")]
    private static partial Regex NoSlug();

    [GeneratedRegex(@"^```json\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Json();

    [GeneratedRegex(@"^```sh\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Shell();

    /// <summary>A setting in the environment of the command that follows.</summary>
    [GeneratedRegex(@"^([A-Z]\w*__\w+=\S+)")]
    private static partial Regex Variable();

    [GeneratedRegex(@"(^|\s)#.*$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"(?<=\s)(src|deploy|config/examples)/[\w/.-]+")]
    private static partial Regex RepositoryFile();

    [GeneratedRegex(@"http://127\.0\.0\.1:8080([^\s']*)")]
    private static partial Regex Url();

    [GeneratedRegex(@"^  ([a-z]+)\b", RegexOptions.Multiline)]
    private static partial Regex CommandName();
}
