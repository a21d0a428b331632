using Xunit;

namespace Proxy.Integration;

/// <summary>The external programs that these tests need.</summary>
/// <remarks>
/// If one is missing, tests are skipped and name it. With <c>REQUIRE_REAL=1</c> they fail, so that a build server without Orthanc
/// does not stay green.
/// </remarks>
public static class Real
{
    private const string Plugins = "/usr/share/orthanc/plugins", Name = "libOrthancDicomWeb.so";

    public static string? Orthanc => FindProgram("Orthanc");

    public static string? DicomWebPlugin => FindFile(Path.Combine(Plugins, Name), Path.Combine("/usr/lib/orthanc", Name));

    public static string? Chromium => FindProgram("chromium") ?? FindProgram("chromium-browser") ?? FindProgram("google-chrome");

    public static string? Npm => FindProgram("npm");

    public static string? Node => FindProgram("node");

    public static void RequireOrthanc()
    {
        Require(Orthanc, "Orthanc");
        Require(DicomWebPlugin, "Orthanc's DICOMweb plugin");
    }

    public static string? Dcmqrscp => FindProgram("dcmqrscp");

    public static void RequireDcmtk() => Require(Dcmqrscp, "dcmtk");

    public static void RequireChromium() => Require(Chromium, "Chromium");

    public static async Task RequireViewerAsync(CancellationToken cancellationToken)
    {
        RequireOrthanc();
        Require(Chromium, "Chromium");
        Require(await OhifPackage.FindAsync(cancellationToken), "OHIF (from npm)");
    }

    public static async Task<NpmClient> RequireNpmClientAsync(string version, CancellationToken cancellationToken)
    {
        Require(Node, "Node.js");
        var client = await NpmClient.FindAsync(version, cancellationToken);
        Require(client is null ? null : version, $"dicomweb-client {version} (from npm)");
        return client!;
    }

    public static async Task RequireProviderAsync(CancellationToken cancellationToken)
    {
        Require(Chromium, "Chromium");
        Require(Node, "Node.js");
        Require(await OidcProvider.FindAsync(cancellationToken), "oidc-provider (from npm)");
    }

    private static void Require(string? found, string what)
    {
        if (found is not null)
            return;
        Assert.False(Environment.GetEnvironmentVariable("REQUIRE_REAL") == "1", $"{what} is not installed, and REQUIRE_REAL=1 requires it");
        Assert.Skip($"{what} is not installed");
    }

    /// <summary>Daemons are in <c>sbin</c>, which is not on every user's path.</summary>
    private static string? FindProgram(string name) =>
        FindFile([.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Concat(["/usr/bin", "/usr/sbin", "/usr/local/bin"])
            .Where(folder => folder != "").Select(folder => Path.Combine(folder, name))]);

    private static string? FindFile(params string[] paths) => paths.FirstOrDefault(File.Exists);
}
