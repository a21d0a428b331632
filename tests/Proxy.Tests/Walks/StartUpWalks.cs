using System.Diagnostics;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The real program, started with wrong settings: it exits and reports every error.</summary>
public sealed class StartUpWalks
{
    [Fact]
    public async Task ExitsAndShowsAnExample_WhenNoBackendIsConfigured()
    {
        var (exitCode, error) = await RunAsync();

        Assert.Equal(1, exitCode);
        Assert.Contains("Backends", error);
        Assert.Contains("\"Backends\": { \"east\": { \"Address\": ", error);
        Assert.Contains("--Backends:east:Address=", error);
    }

    [Fact]
    public async Task NamesEveryWrongSetting_WithItsValueAndTheAllowedValues()
    {
        var (exitCode, error) = await RunAsync(
            "--Backends:east:Address=ftp://pacs/dicom-web", "--Backends:west:Address=http://pacs/dicom-web",
            "--Backends:west:Timeout=soon", "--Backends:west:Preference=-1", "--Backends:west:Adress=http://pacs",
            "--Backends:we/st:Address=http://pacs", "--Search:Deadline=0", "--Search:MaxResults=many", "--Cache:Memory:MaxBytes=1",
            "--Security:KnownProxies:0=nowhere", "--Security:AllowedOrigins:0=viewer",
            "--Backends:west:Authentication:Scheme=Basic");

        Assert.Equal(1, exitCode);
        foreach (var key in (string[])[
            "Backends:east:Address = \"ftp://pacs/dicom-web\"", "Backends:west:Timeout = \"soon\"", "Backends:west:Preference = \"-1\"",
            "Backends:west:Adress", "Backends:we/st", "Search:Deadline = \"0\"",
            "Search:MaxResults = \"many\"", "Cache:Memory:MaxBytes = \"1\"", "Security:KnownProxies = \"nowhere\"",
            "Security:AllowedOrigins = \"viewer\"", "Backends:west:Authentication:User", "Backends:west:Authentication:Password"])
            Assert.Contains(key, error);
        Assert.DoesNotContain("   at ", error);
    }

    [Theory]
    [InlineData("--urls=http://0.0.0.0:0")]
    [InlineData("--urls=http://127.0.0.1:0;http://*:0")]
    [InlineData("--urls=http://[::]:0")]
    [InlineData("--urls=http://pacs.example:0")]
    [InlineData("--http_ports=0")]
    [InlineData("--Kestrel:Endpoints:all:Url=http://0.0.0.0:0")]
    public async Task RefusesToListenBeyondLoopback_UnlessConfigured(string urls)
    {
        var (exitCode, error) = await RunAsync("--Backends:east:Address=http://127.0.0.1:9/dicom-web", urls);

        Assert.Equal(1, exitCode);
        Assert.Contains("Security:AllowAnonymous", error);
    }

    [Fact]
    public async Task Starts_WhenAllSettingsAreValid()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        await using var proxy = new ProxyHost(("east", east.Address))
        { ["urls"] = "http://0.0.0.0:0", ["Security:AllowAnonymous"] = "true" };

        Assert.Single((await proxy.GetAsync("/dicomweb/studies")).Rows);
    }

    [Fact]
    public async Task PrefersTheCommandLine_OverTheEnvironmentAndTheFiles()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        await using var proxy = new ProxyHost(("east", east.Address));
        Directory.CreateDirectory(Path.Combine(proxy.Root, "config"));
        await File.WriteAllTextAsync(
            Path.Combine(proxy.Root, "config", "backends.json"),
            """{ "Backends": { "east": { "Address": "http://127.0.0.1:9/dicom-web" } } }""",
            TestContext.Current.CancellationToken);

        Assert.Single((await proxy.GetAsync("/dicomweb/studies")).Rows);
    }

    [Fact]
    public async Task ReportsOneClearLine_WhenTheOpenFileLimitIsTooLow()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux has this limit");

        var (exitCode, error) = await RunInShellAsync("ulimit -n 256", "--Backends:east:Address=http://127.0.0.1:9/dicom-web");

        Assert.Equal(1, exitCode);
        Assert.Contains("the limit of open files is 256", error);
        Assert.Contains("ulimit -n 65536", error);
        Assert.DoesNotContain("   at ", error);
    }

    [Theory]
    [InlineData("appsettings.json")]
    [InlineData("config/backends.json")]
    public async Task NamesTheFileAndThePosition_WhenAFileIsBroken(string file)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "this test needs a shell");

        var (exitCode, error) = await RunInShellAsync($"mkdir config && printf '{{\n \"Password\": \"s3cret\" x' > {file}");

        Assert.Equal(1, exitCode);
        Assert.Contains($"{Path.GetFileName(file)}: not JSON at line 2, character ", error);
        Assert.DoesNotContain("s3cret", error);
        Assert.DoesNotContain("   at ", error);
    }

    private static Task<(int ExitCode, string Error)> RunAsync(params string[] arguments) =>
        RunAsync(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Proxy.dll"), .. arguments]));

    /// <param name="before">Shell commands to run first, in the working folder of the proxy.</param>
    /// <param name="arguments">The arguments of the proxy.</param>
    private static Task<(int ExitCode, string Error)> RunInShellAsync(string before, params string[] arguments) =>
        RunAsync(new ProcessStartInfo(
            "/bin/sh",
            ["-c", before + " && exec dotnet \"$0\" \"$@\"", Path.Combine(AppContext.BaseDirectory, "Proxy.dll"), .. arguments]));

    private static async Task<(int ExitCode, string Error)> RunAsync(ProcessStartInfo start)
    {
        var folder = Directory.CreateTempSubdirectory("proxy-start-").FullName;
        try
        {
            (start.WorkingDirectory, start.RedirectStandardError, start.RedirectStandardOutput) = (folder, true, true);
            foreach (var name in (string[])["ASPNETCORE_URLS", "ASPNETCORE_HTTP_PORTS", "DOTNET_URLS"]) start.Environment.Remove(name);
            using var process = Process.Start(start)!;
            using var stop = new CancellationTokenSource(Until.Patience * 2, TimeProvider.System);
            using var kill = stop.Token.Register(process.Kill);
            var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            var error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await output;
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return (process.ExitCode, error);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
