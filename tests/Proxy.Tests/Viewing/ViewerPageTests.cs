using System.Security.Cryptography;
using System.Text;
using Proxy.Viewing;
using Xunit;

namespace Proxy.Tests.Viewing;

/// <summary>The page of the viewer at the path that a client uses.</summary>
public sealed class ViewerPageTests
{
    [Fact]
    public void LinksBelowThePath_AndNamesTheVersionOfEditedScripts()
    {
        var page = Make(ViewerBuild.Html, "/pacs/viewer/");

        Assert.Contains("content=\"/pacs/viewer/assets/tile.png\"", page, StringComparison.Ordinal);
        Assert.Contains("href=\"/pacs/viewer/manifest.json\"", page, StringComparison.Ordinal);
        Assert.Contains("href=/pacs/viewer/assets/favicon.ico", page, StringComparison.Ordinal);
        Assert.Contains($"src=\"/pacs/viewer/{ViewerBuild.App}?edits={ViewerEdits.Version}\"", page, StringComparison.Ordinal);
        Assert.Contains("href=\"//fonts.example/x.css\"", page, StringComparison.Ordinal);
        Assert.DoesNotContain("PUBLIC_URL=\"/\"", page, StringComparison.Ordinal);
        Assert.Contains("PUBLIC_URL=\"/pacs/viewer/\"", page, StringComparison.Ordinal);
    }

    [Fact]
    public void LeavesABuildForItsOwnPath()
    {
        var built = ViewerBuild.Html.Replace("=\"/", "=\"/viewer/", StringComparison.Ordinal)
            .Replace("=/", "=/viewer/", StringComparison.Ordinal).Replace("/viewer//", "//", StringComparison.Ordinal);

        Assert.Equal("/viewer/", ViewerPage.FindBasePath(built));
        Assert.Equal(built.Replace(".js\"", $".js?edits={ViewerEdits.Version}\"", StringComparison.Ordinal), Make(built, "/viewer/"));
    }

    /// <summary>A policy without "unsafe-inline" names each script of the page by its hash.</summary>
    [Fact]
    public void AllowsTheInlineScripts_AndNoOther()
    {
        var page = ViewerPage.Make(ViewerBuild.Html, "/", "/viewer/");

        var script = "function browserImportFunction(n){return import(n)}window.PUBLIC_URL=\"/viewer/\"";
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)));
        Assert.Contains($"'sha256-{hash}'", page.Policy, StringComparison.Ordinal);
        Assert.DoesNotContain("'unsafe-inline'", page.Policy.Split("; style-src")[0], StringComparison.Ordinal);
    }

    [Fact]
    public void EscapesAPathThatWouldEndAnAttribute() =>
        Assert.Contains(
            "href='/a%27b/viewer/x.css'", Make("<link href='/x.css'>", "/a'b/viewer/"), StringComparison.Ordinal);

    private static string Make(string html, string basePath) =>
        Encoding.UTF8.GetString(ViewerPage.Make(html, ViewerPage.FindBasePath(html), basePath).Bytes);
}
