using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Proxy.Viewing;

/// <summary>The <c>index.html</c> of OHIF for the path that a client uses, and its content security policy.</summary>
/// <param name="BasePath">The path of the viewer, with a slash at its end.</param>
/// <param name="Bytes">The page.</param>
/// <param name="ETag">The entity tag of the page.</param>
/// <param name="Policy">The value of <c>Content-Security-Policy</c>.</param>
internal sealed partial record ViewerPage(string BasePath, byte[] Bytes, string ETag, string Policy)
{
    /// <summary>The policy of every other file, which a worker takes from its script.</summary>
    public static readonly string FilePolicy = GetPolicy("");

    /// <summary>The path that a page was built for; <c>/</c> if it names none.</summary>
    public static string FindBasePath(string html) =>
        PublicUrl().Match(html) is { Success: true } match && match.Groups[1].Value is ['/', ..] and [.., '/'] path ? path : "/";

    /// <summary>Changes a page from the path that it was built for to another one.</summary>
    /// <param name="html">The page as built.</param>
    /// <param name="builtFor">The path that the page was built for, with a slash at its end.</param>
    /// <param name="basePath">The path that the client uses, with a slash at its end.</param>
    public static ViewerPage Make(string html, string builtFor, string basePath)
    {
        // A path from a header may have an apostrophe, which would end an attribute.
        var target = basePath.Replace("'", "%27", StringComparison.Ordinal);
        var links = new Regex($@"(?<=\b(?:href|src|content)=[""']?){Regex.Escape(builtFor)}(?!/)([^""'\s>]*)");
        var page = links.Replace(html, link => target + Version(link.Groups[1].Value));
        page = PublicUrl().Replace(page, assignment => $"PUBLIC_URL=\"{target}\"");
        var bytes = Encoding.UTF8.GetBytes(page);
        var scripts = InlineScript().Matches(page).Select(script => Encoding.UTF8.GetBytes(script.Groups["text"].Value));
        var hashes = scripts.Select(script => $" 'sha256-{Hash(script)}'").Distinct();
        return new(basePath, bytes, $"\"{Hash(bytes)}\"", GetPolicy(string.Concat(hashes)));
    }

    /// <summary>
    /// The policy with the inline scripts of a page. OHIF compiles WebAssembly, starts workers from blobs, styles elements inline, and has
    /// images and fonts in its scripts. Its decoders of JPEG 2000 and JPEG-LS make functions from text. Requests go to the proxy alone.
    /// </summary>
    private static string GetPolicy(string scripts) =>
        $"default-src 'none'; script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval' blob:{scripts}; style-src 'self' 'unsafe-inline'; "
        + "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; media-src 'self' data: blob:; "
        + "object-src 'self' blob:; frame-src 'self' blob:; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; "
        + "form-action 'none'; frame-ancestors 'self'";

    /// <summary>A script with a hash in its name is edited, so that its address also names the edits.</summary>
    private static string Version(string name) =>
        name.EndsWith(".js", StringComparison.Ordinal) ? $"{name}?{ViewerEdits.VersionParameter}={ViewerEdits.Version}" : name;

    private static string Hash(byte[] bytes) => Convert.ToBase64String(SHA256.HashData(bytes));

    [GeneratedRegex("""\bPUBLIC_URL\s*=\s*["']([^"']*)["']""")]
    private static partial Regex PublicUrl();

    [GeneratedRegex("<script>(?<text>.*?)</script>", RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex InlineScript();
}
