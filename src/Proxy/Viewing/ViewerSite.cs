namespace Proxy.Viewing;

/// <summary>The viewer that is served now. A changed <c>index.html</c> means an upgrade of OHIF: the folder is listed again.</summary>
/// <param name="options">The settings at the start. The first request lists the folder.</param>
internal sealed class ViewerSite(ViewerOptions options)
{
    private readonly Lock _reading = new();
    private ViewerOptions _options = options;
    private ViewerFolder? _folder;

    /// <summary>Whether the settings name a folder.</summary>
    public bool IsSet => Volatile.Read(ref _options).Path is not null;

    /// <summary>Uses other settings from now on.</summary>
    public void Apply(ViewerOptions options)
    {
        lock (_reading)
        {
            Volatile.Write(ref _options, options);
            _folder = null;
        }
    }

    /// <summary>The current build; null if the settings name no folder.</summary>
    /// <param name="isPage">Whether the page is requested, with which a client begins: only then the folder is compared.</param>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The proxy may not read the folder.</exception>
    public ViewerFolder? Find(bool isPage)
    {
        lock (_reading)
        {
            if (_options.Path is not { } path) return null;
            if (_folder is null || (isPage && !_folder.IsCurrent)) _folder = ViewerFolder.Read(path);
            return _folder;
        }
    }
}
