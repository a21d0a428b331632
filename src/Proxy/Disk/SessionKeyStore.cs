using System.Text;
using System.Xml;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;

namespace Proxy.Disk;

/// <summary>Stores the keys of the cookies of signed-in users in the cache folder, so that they stay signed in after a restart.</summary>
/// <remarks>Without a usable folder, the keys last as long as the process.</remarks>
internal sealed class SessionKeyStore(CacheFolder folder) : IXmlRepository
{
    private const string Name = "sessions.key";
    private const int MaxBytes = 1024 * 1024;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, XElement> _keys = [];

    /// <inheritdoc/>
    public IReadOnlyCollection<XElement> GetAllElements()
    {
        lock (_lock)
        {
            // The framework has no asynchronous form. The folder waits for a disk for two seconds at most.
            foreach (var key in folder.RunAsync(Read, CancellationToken.None).GetAwaiter().GetResult()?.Elements() ?? [])
                _keys.TryAdd((string?)key.Attribute("id") ?? key.ToString(), key);
            return [.. _keys.Values];
        }
    }

    /// <inheritdoc/>
    public void StoreElement(XElement element, string friendlyName)
    {
        lock (_lock)
        {
            _keys[(string?)element.Attribute("id") ?? friendlyName] = element;
            var bytes = Encoding.UTF8.GetBytes(new XElement("keys", _keys.Values).ToString());
            folder.RunAsync(() => Write(bytes), CancellationToken.None, writes: true).GetAwaiter().GetResult();
        }
    }

    private XElement? Read()
    {
        var file = new FileInfo(folder.GetPath(Name));
        if (!file.Exists || file.Length > MaxBytes) return null;
        using var text = new MemoryStream(folder.Seal.Open(File.ReadAllBytes(file.FullName), Name).ToArray());
        try
        {
            using var reader = XmlReader.Create(text, new() { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null });
            return XElement.Load(reader);
        }
        catch (XmlException)
        {
            // A damaged file, or one that another key has sealed: users sign in again.
            return null;
        }
    }

    private object Write(byte[] bytes)
    {
        folder.WriteWhole(Name, folder.Seal.Seal(bytes, Name));
        return Name;
    }
}
