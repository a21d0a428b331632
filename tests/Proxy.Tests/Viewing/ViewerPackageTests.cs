using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Proxy.Viewing;
using Xunit;

namespace Proxy.Tests.Viewing;

/// <summary>An installation puts the whole build into its place, or leaves everything as it was. A script stands in for npm.</summary>
public sealed class ViewerPackageTests : IDisposable
{
    private const string Version = "3.9.1";
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("proxy-package-");

    public ViewerPackageTests() => Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "The script needs sh");

    private string Parent => Path.Combine(_work.FullName, "parent");

    private string Folder => Path.Combine(Parent, "ohif");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public async Task InstallsTheBuild_WithoutSourceMapsAndForeignPaths()
    {
        var npm = MakeNpm(
            ("package/dist/index.html", "page"), ("package/dist/assets/a.png", "png"), ("package/dist/app.js.map", "map"),
            ("package/dist/../../../out.js", "out"), ("package/dist/.hidden", "hidden"), ("package/README.md", "text"));

        var installed = await new ViewerPackage(npm).InstallAsync(Folder, Version, Cancel);

        Assert.Null(installed.Error);
        Assert.Equal((Folder, Version, 2, 7L), (installed.Folder, installed.Version, installed.Files, installed.Bytes));
        Assert.Equal("page", await File.ReadAllTextAsync(Path.Combine(Folder, "index.html"), Cancel));
        Assert.Equal([".proxy-viewer", "assets", "assets/a.png", "index.html"], List(Folder));
        Assert.Equal(["ohif"], Directory.GetFileSystemEntries(Parent).Select(Path.GetFileName));
        Assert.Empty(Directory.GetFiles(_work.FullName, "out.js", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task ReplacesAnEarlierInstallation()
    {
        Assert.Null((await new ViewerPackage(
            MakeNpm(("package/dist/index.html", "1"), ("package/dist/old.js", ""))).InstallAsync(Folder, Version, Cancel)).Error);

        Assert.Null((await new ViewerPackage(MakeNpm(("package/dist/index.html", "2"))).InstallAsync(Folder, Version, Cancel)).Error);

        Assert.Equal([".proxy-viewer", "index.html"], List(Folder));
        Assert.Equal(["ohif"], Directory.GetFileSystemEntries(Parent).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("ETARGET", "npm view @ohif/app versions")]
    [InlineData("ENOTFOUND", "cannot reach its registry")]
    [InlineData("ENOSPC", "make room")]
    [InlineData("EWHATEVER", "npm failed (EWHATEVER): the summary")]
    public async Task SaysInOneLineWhatToDo_WhenNpmFails(string code, string remedy)
    {
        var script = """echo '{"error":{"code":"CODE","summary":"the summary"}}'; exit 1""".Replace("CODE", code, StringComparison.Ordinal);

        await AssertFailsAsync(MakeScript(script), remedy);
    }

    [Fact]
    public async Task RefusesAPackage_WithAnotherHash()
    {
        var npm = MakeNpm(("package/dist/index.html", "page"));
        await File.WriteAllTextAsync(Path.Combine(_work.FullName, "integrity"), "\"sha512-other\"", Cancel);

        await AssertFailsAsync(npm, "not @ohif/app 3.9.1 as published");
    }

    /// <summary>The hash of the default version is part of the program: a registry cannot change that version.</summary>
    [Fact]
    public async Task RefusesTheDefaultVersion_WithAnotherHash_WhateverTheRegistrySays()
    {
        var npm = MakeNpm(("package/dist/index.html", "page"));

        await AssertFailsAsync(npm, "as published", ViewerPackage.DefaultVersion);
    }

    [Fact]
    public async Task RefusesAPackage_WithoutABuild() =>
        await AssertFailsAsync(MakeNpm(("package/src/index.js", "source")), "contains no built viewer");

    [Fact]
    public async Task RefusesAPackage_ThatIsNoArchive()
    {
        var npm = MakeNpm(("package/dist/index.html", "page"));
        await File.WriteAllTextAsync(Path.Combine(_work.FullName, "ohif.tgz"), "no archive", Cancel);
        await WriteIntegrityAsync();

        await AssertFailsAsync(npm, "damaged");
    }

    [Fact]
    public async Task SaysHowToGetNpm()
    {
        Assert.Null(NpmProgram.Find(_work.FullName));
        Assert.Null(NpmProgram.Find(null));

        await AssertFailsAsync(null, "install Node.js");
    }

    [Theory]
    [InlineData("--registry=http://evil.example")]
    [InlineData("http://evil.example/x.tgz")]
    [InlineData("latest")]
    [InlineData("")]
    public async Task RefusesWhatIsNoVersion(string version) => await AssertFailsAsync(MakeScript("exit 3"), "is not a version", version);

    [Fact]
    public async Task LeavesAFolderWithOtherFiles()
    {
        Directory.CreateDirectory(Folder);
        await File.WriteAllTextAsync(Path.Combine(Folder, "thesis.txt"), "mine", Cancel);

        var installed = await new ViewerPackage(MakeNpm(("package/dist/index.html", "page"))).InstallAsync(Folder, Version, Cancel);

        Assert.Contains("files of its own", installed.Error, StringComparison.Ordinal);
        Assert.Equal(["thesis.txt"], List(Folder));
    }

    [Fact]
    public async Task SaysThatTheFolderCannotBeWritten()
    {
        await File.WriteAllTextAsync(Parent, "a file where a folder should be", Cancel);

        var installed = await new ViewerPackage(MakeNpm(("package/dist/index.html", "page"))).InstallAsync(Folder, Version, Cancel);

        Assert.Contains("cannot be written", installed.Error, StringComparison.Ordinal);
    }

    private async Task AssertFailsAsync(NpmProgram? npm, string remedy, string version = Version)
    {
        var installed = await new ViewerPackage(npm).InstallAsync(Folder, version, Cancel);

        Assert.Contains(remedy, installed.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', installed.Error!);
        Assert.False(Directory.Exists(Folder));
        Assert.True(!Directory.Exists(Parent) || Directory.GetFileSystemEntries(Parent).Length == 0);
    }

    /// <summary>A script that packs this archive, and views its hash.</summary>
    private NpmProgram MakeNpm(params (string Name, string Content)[] entries)
    {
        using (var packed = new GZipStream(File.Create(Path.Combine(_work.FullName, "ohif.tgz")), CompressionLevel.Fastest))
        using (var archive = new TarWriter(packed))
        {
            foreach (var (name, content) in entries)
            {
                archive.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name)
                {
                    DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)),
                });
            }
        }
        WriteIntegrityAsync().GetAwaiter().GetResult();
        return MakeScript(
            $"""
            case "$1" in
            pack) cp '{_work.FullName}/ohif.tgz' . && echo '[]' ;;
            view) cat '{_work.FullName}/integrity' ;;
            esac
            """);
    }

    private async Task WriteIntegrityAsync()
    {
        var hash = Convert.ToBase64String(SHA512.HashData(await File.ReadAllBytesAsync(Path.Combine(_work.FullName, "ohif.tgz"), Cancel)));
        await File.WriteAllTextAsync(Path.Combine(_work.FullName, "integrity"), $"\"sha512-{hash}\"", Cancel);
    }

    private NpmProgram MakeScript(string script)
    {
        var path = Path.Combine(_work.FullName, "fake-npm");
        File.WriteAllText(path, "#!/bin/sh\n" + script.ReplaceLineEndings("\n") + "\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new(path);
    }

    private static IEnumerable<string> List(string folder) =>
        Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(folder, path))
            .Order(StringComparer.Ordinal);
}
