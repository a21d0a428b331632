using System.Text.Json.Nodes;
using Proxy.Cli;
using Xunit;

namespace Proxy.Tests.Cli;

/// <summary>Commands that need no running proxy.</summary>
public sealed class LocalCommandTests
{
    private static readonly string[] Wrong =
    [
        "--Backends:east:Address=ftp://pacs/dicom-web", "--Backends:east:Timeout=soon", "--Search:Deadline=0",
    ];

    [Fact]
    public async Task CheckNamesEveryError()
    {
        var run = await CommandRun.RunAsync(["check", .. Wrong]);

        Assert.Equal(ExitCode.Failed, run.Code);
        Assert.Contains("Backends:east:Address = \"ftp://pacs/dicom-web\": an http or https URL", run.Output);
        Assert.Contains("Backends:east:Timeout = \"soon\": ", run.Output);
        Assert.Contains("Search:Deadline = \"0\": ", run.Output);
        Assert.Contains("3 errors", run.Error);
    }

    [Fact]
    public async Task CheckWritesItsErrorsAsJson()
    {
        var run = await CommandRun.RunAsync(["check", "--json", .. Wrong]);

        var report = JsonNode.Parse(run.Output)!;
        Assert.Equal(ExitCode.Failed, run.Code);
        Assert.False((bool)report["valid"]!);
        Assert.Equal(3, report["errors"]!.AsArray().Count);
    }

    [Fact]
    public async Task CheckAcceptsValidSettings()
    {
        var run = await CommandRun.RunAsync("check", "--Backends:east:Address=http://pacs/dicom-web");

        Assert.Equal(ExitCode.Success, run.Code);
        Assert.Contains("Backends: east", run.Output);
    }

    [Fact]
    public async Task CheckRefusesAMisspeltOption()
    {
        var run = await CommandRun.RunAsync("check", "--jsno");

        Assert.Equal(ExitCode.Usage, run.Code);
        Assert.StartsWith("\"--jsno\" is not an option of \"proxy check\"; did you mean \"--json\"?", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OhifPrintsADataSource_ForTheAddressOfTheViewer()
    {
        var run = await CommandRun.RunAsync("ohif", "--url", "https://pacs.example/", "--Backends:east:Address=http://pacs/dicom-web");

        var source = JsonNode.Parse(run.Output)!;
        Assert.Equal(ExitCode.Success, run.Code);
        Assert.Equal("@ohif/extension-default.dataSourcesModule.dicomweb", (string?)source["namespace"]);
        Assert.Equal("https://pacs.example/dicomweb", (string?)source["configuration"]!["wadoRoot"]);
        Assert.True((bool)source["configuration"]!["supportsStow"]!);
    }
}
