using Proxy.Operations;

namespace Proxy.Disk;

/// <summary>The encryption of the folder.</summary>
public sealed partial class CacheFolder
{
    private const string Encrypted = "the folder is encrypted: set its key in Cache:Encryption, or empty the folder";

    private bool _isEncrypted;

    /// <summary>True when the key of the folder is known, or the folder has none and needs none.</summary>
    private bool IsReadable => Keys is null ? !_isEncrypted : Seal.IsActive;

    /// <summary>Replaces a small file as a whole.</summary>
    public void WriteWhole(string name, ReadOnlySpan<byte> bytes)
    {
        var temporary = GetPath("tmp", name);
        using (var file = new FileStream(temporary, NewFile(FileMode.Create)))
        {
            file.Write(bytes);
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, GetPath(name), overwrite: true);
    }

    /// <summary>Reads the key of the folder, if there is one.</summary>
    private void ReadSeal()
    {
        Seal = FolderSeal.Plain;
        var file = GetPath(FolderSeal.FileName);
        _isEncrypted = File.Exists(file);
        if (!_isEncrypted) return;
        if (Keys is null) throw new IOException(Encrypted);
        Seal = FolderSeal.TryRead(File.ReadAllBytes(file), Keys) ?? FolderSeal.Plain;
    }

    /// <summary>
    /// Creates a key of the folder when there is none. A folder that was not encrypted is emptied: its content must not stay readable. One
    /// whose key is missing gets empty databases, and the scan deletes the entries that cannot be read.
    /// </summary>
    private void CompleteSeal()
    {
        if (Keys is not { } keys) return;
        if (!Seal.IsActive)
        {
            if (!File.Exists(GetPath(FolderSeal.FileName)) && Directory.Exists(GetPath("entries")))
            {
                log.PlainFolderEmptied();
                Directory.Delete(GetPath("entries"), recursive: true);
            }
            foreach (var database in (string[])["entries.db", "studies.db"])
            {
                foreach (var suffix in (string[])["", "-wal", "-shm"]) File.Delete(GetPath(database + suffix));
            }
            foreach (var file in (string[])["prefetch.json", "links.key", "sessions.key"]) File.Delete(GetPath(file));
            Wrap(FolderSeal.Create(keys), keys);
        }
        FollowKeys();
    }

    /// <summary>Reads changed keys, and encrypts the key of the folder by the one that writes now.</summary>
    private void FollowKeys()
    {
        if (Keys is not { } keys) return;
        keys.Refresh();
        if (Seal.IsActive && Seal.WrappedBy != keys.Current.Id) Wrap(Seal, keys);
    }

    /// <summary>Writes the key of the folder, encrypted by the writing key.</summary>
    private void Wrap(FolderSeal seal, KeyRing keys)
    {
        var (file, wrapped) = seal.Wrap(keys);
        WriteWhole(FolderSeal.FileName, file);
        Seal = wrapped;
    }
}
